"""The object store on any S3 server."""
