"""The benchmark and the soak of the script engine, without the product around it."""
