"""The event log on Kafka: records, producing, reading, topics."""
