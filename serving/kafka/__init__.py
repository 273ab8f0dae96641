"""How every client of Kafka is made, which addresses answer, and its errors in plain words."""
