"""A message that names an activity."""

from __future__ import annotations


class ActivityMessage(str):
    """A message that names an activity that starts now, such as "Pulling the image x". Any other message is a note.

    A display shows the activity until the next one starts; its wording and punctuation do not matter.
    """

    __slots__ = ()
