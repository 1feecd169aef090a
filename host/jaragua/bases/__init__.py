"""What classes of all rooms derive from: immutable records, what a `with` block closes, sequences made on demand."""
