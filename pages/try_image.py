"""Try an image: one of the reader's own through the three networks; checked, outlined, explained, forgotten."""

from pages.parts import upload_form, upload_state, upload_view
from pages.parts.frame import frame

with frame("Try an image"):
    own = upload_state.current()
    if own is None:
        upload_form.ask()
    else:
        upload_view.show(own)
