"""The evidence of who a client is, as a picture."""
