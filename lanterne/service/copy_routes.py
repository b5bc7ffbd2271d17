"""The route by which operators report a copy that was found in public, by the number that `lanterne trace` or the verifier read in it."""

from lanterne.service import copy_wire as wires
from lanterne.service import watch, wire
from lanterne.service.provenance import traced
from lanterne.service.signed_in import House, Operator, OperatorsFields, ruled


def report_copy(house: House, actor: Operator, fields: OperatorsFields):
    """Report where a copy of a video was found: unless the video is released, its owner's key is looked at, and the owner told."""
    asked = wire.read(wires.FoundCopy, fields)
    videos = list(traced(house.database, int(asked.watermark, 16)))
    with ruled(house) as session:
        reported, mails = watch.report_copy(session, videos, asked.url, actor.person_id)
    watch.send(house.settings.post, mails)
    return wires.Reported(data=[
        wires.TracedVideo(
            id=one.video.id, owner=one.video.owner, created_at=one.video.created_at, released=one.public,
            alarms=[alarm.id for alarm in one.alarms],
        ) for one in reported
    ])


ROUTES = [("POST", "/programme/desk/copies", report_copy, wires.Reported)]
OPEN = ()
BODIES = {"report_copy": wires.FoundCopy}
