"""The adapters of the read models for the embedded profile: tables of views.db. Each adapter mirrors its port."""
