"""The analytics API: its bodies, their items, what they make MongoDB store, anonymous sessions."""
