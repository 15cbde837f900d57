"""Function Compute: its invocation APIs of FC 3.0 (2023-03-30) and FC 2.0 (2016-08-15), and what runs the functions."""
