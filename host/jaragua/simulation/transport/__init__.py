"""What a round sends, as a fleet would."""
