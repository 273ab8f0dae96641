"""Makes records of the bytes that a broker sends. Memory is bounded, and what can't be decoded stops nothing."""
