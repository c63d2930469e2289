"""Tables for analysts as files: the views of ``schema.analytics``, and credits by any model.

``reading`` asks the database for batches, ``formats`` writes them as Parquet, CSV or an Arrow stream, ``door``
answers ``/export/…``. Memory doesn't grow with the number of rows.
"""
