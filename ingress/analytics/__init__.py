"""The analytics API: AddEvent and AddEventBatch with their checks and replies."""
