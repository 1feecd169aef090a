"""One module a verb: `app` in it is the verb. A module is loaded only when its verb is used."""
