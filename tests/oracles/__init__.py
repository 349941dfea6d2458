"""The papers' equations in NumPy float64 loops, one row and one step at a time; nothing here imports lstm_jax."""
