"""What the messages for clients of Thing Descriptions (M50) cost beside those of the rounds."""
