"""The games API: its bodies, and how a batch is judged."""
