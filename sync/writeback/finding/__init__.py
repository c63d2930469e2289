"""From what happened here to what is meant for there: one function a kind of rule."""
