"""The strategies that come with Jaragua, one class each."""
