"""Deleting collections and people, each with what goes along, in one transaction with the facts of it."""

from uuid import UUID

from common.errors import conflict
from common.events import CollectionDeleted, UserDeleted
from common.outbox import Transaction
from common.users import no_user

from gateway.queries import collections, deletion, people

_MOST_NAMED = 10


async def remove_collection(tx: Transaction, collection_id: UUID) -> None:
    """With every asset in it."""
    await collections.mark_collection_deleted(tx.conn, collection_id)
    for doomed in await deletion.mark_all_deleted(tx.conn, collection_id):
        await tx.say(doomed.fact)
    await tx.say(CollectionDeleted(collection_id=collection_id))


async def remove_user(tx: Transaction, user_id: UUID) -> None:
    """With the collections that nobody else may enter; what they added to others' stays there.

    Raises ApiError: no such user, the last administrator, or the only owner of what others use.
    """
    found, administrators = await people.lock_for_deletion(tx.conn, user_id)
    if not found:
        raise no_user()
    if administrators == {user_id}:
        raise conflict("The last administrator stays.", advice="Make another administrator first.")
    shares = await collections.lock_shares_of(tx.conn, user_id)
    needed = [share.collection_id for share in shares if share.only_owner and not share.alone]
    if needed:
        named = ", ".join(str(each) for each in needed[:_MOST_NAMED])
        raise conflict(
            f"The user is the only owner of {len(needed)} collections that others use: {named}.",
            advice="Make someone else an owner of each first, with a key of the user's (POST /api/users/{id}/keys).",
        )
    for share in shares:
        if share.alone:
            await remove_collection(tx, share.collection_id)
    await people.delete_user(tx.conn, user_id)
    await tx.say(UserDeleted(user_id=user_id))
