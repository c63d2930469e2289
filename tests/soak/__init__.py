"""Everything at once, for long: ``make soak``. Not collected by pytest; CI runs the faults one by one."""
