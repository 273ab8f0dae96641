"""The analytics API: its bodies, their items, what MongoDB stores of them, anonymous sessions."""
