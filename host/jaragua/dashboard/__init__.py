"""The live page of a fleet (extra `dashboard`): content (pure), page (NiceGUI), server."""
