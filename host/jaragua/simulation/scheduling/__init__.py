"""When each device trains, and the samples drawn for it."""
