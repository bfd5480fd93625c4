/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "filter/visibility.h"

#include <string.h>

#include "event/shared.h"

bool visibility_allows(__u32 uid, const struct event *e, __u32 owner_now)
{
	if (uid == VISIBILITY_ROOT || !e->record) /* a gap concerns every reader */
		return true;
	if (e->record->kind == LP_KIND_STRAY) /* no socket, so no user owns it */
		return false;
	return e->record->socket.uid == uid && visibility_process(uid, e) && owner_now == uid;
}

const struct lp_task *visibility_process(__u32 uid, const struct event *e)
{
	const struct owner *owner = &e->owner;

	if (owner->via)
		return owner->process.uid == uid ? &owner->process : NULL;
	for (unsigned i = 0; owner->unknown == UNKNOWN_SHARED && i < owner->n_holders; i++)
		if (owner->holders[i].uid == uid)
			return &owner->holders[i];
	return NULL;
}

void visibility_narrow(__u32 uid, struct kept_event *kept)
{
	struct event *e = &kept->event;

	if (uid == VISIBILITY_ROOT)
		return;
	memset(&e->peer, 0, sizeof(e->peer));
	e->peer_place = &place_unknown;
	if (e->shutter.uid != uid)
		memset(&e->shutter, 0, sizeof(e->shutter));
	shared_narrow(kept, uid);
	e->loss_hidden = !e->record;
}
