"""The read models' adapters for the embedded profile: tables of views.db. Each mirrors its port name for name."""
