/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "filter/visibility.h"

#include <string.h>

bool visibility_allows(__u32 uid, const struct event *e, __u32 owner_now)
{
	if (uid == VISIBILITY_ROOT || !e->record) /* a gap concerns every reader */
		return true;
	if (e->record->kind == LP_KIND_STRAY) /* no socket, so no user owns it */
		return false;
	return e->record->socket.uid == uid && e->owner.via && e->owner.process.uid == uid && owner_now == uid;
}

static void keep_holders_of(__u32 uid, struct owner *owner)
{
	unsigned n = 0;

	for (unsigned i = 0; i < owner->n_holders; i++) {
		if (owner->holder_uids[i] != uid)
			continue;
		owner->holders[n] = owner->holders[i];
		owner->holder_uids[n++] = uid;
	}
	owner->n_holders = n;
}

void visibility_narrow(__u32 uid, struct event *e)
{
	if (uid == VISIBILITY_ROOT)
		return;
	memset(&e->peer, 0, sizeof(e->peer));
	e->peer_place = &place_unknown;
	keep_holders_of(uid, &e->owner);
	e->loss_hidden = !e->record;
}
