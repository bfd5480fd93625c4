/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Structs that the BPF object and the agent share have the same layout: the object's BTF is compared with this
 * compiler's result, member by member. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "check.h"
#include "record.h"

#include "lostpeer.skel.h"
#include "check.skel.h"

struct member {
	const char *name;
	size_t offset, size;
};

#define MEMBER(type, member)                                                                                           \
	{                                                                                                              \
#member, offsetof(struct type, member), sizeof(((struct type *)NULL)->member)                          \
	}
#define COUNT(a) (sizeof(a) / sizeof(*(a)))

#define TASK(m) MEMBER(lp_task, m)
static const struct member task[] = {
	TASK(start_boot_ns), TASK(cgroup_id), TASK(tgid),      TASK(uid),    TASK(comm),      TASK(vpid),
	TASK(oom),           TASK(exiting),   TASK(executing), TASK(forked), TASK(exit_code), TASK(unused),
};

#define PAST(m) MEMBER(lp_past, m)
static const struct member past[] = {
	PAST(start_boot_ns), PAST(forker), PAST(exec_after_ns), PAST(execs), PAST(n_execs), PAST(shares_memory),
};

#define IDENTITY(m) MEMBER(lp_identity, m)
static const struct member identity[] = {
	IDENTITY(sk),        IDENTITY(cookie),    IDENTITY(local_addr), IDENTITY(peer_addr), IDENTITY(local_port),
	IDENTITY(peer_port), IDENTITY(netns),     IDENTITY(family),     IDENTITY(state),     IDENTITY(shutdown),
	IDENTITY(flags),     IDENTITY(interface), IDENTITY(pad),
};

#define SOCKET(m) MEMBER(lp_socket, m)
static const struct member socket_members[] = {
	{"", offsetof(struct lp_socket, identity), sizeof(struct lp_identity)},
	SOCKET(interface_name),
	SOCKET(inode),
	SOCKET(known),
	SOCKET(uid),
	SOCKET(refs),
	SOCKET(err),
	SOCKET(soft_err),
	SOCKET(snd_una),
	SOCKET(snd_nxt),
	SOCKET(write_seq),
	SOCKET(rcv_nxt),
	SOCKET(copied_seq),
	SOCKET(snd_wnd),
	SOCKET(total_retrans),
	SOCKET(srtt_us),
	SOCKET(bytes_acked),
	SOCKET(bytes_received),
	SOCKET(heard_ms),
	SOCKET(user_timeout_ms),
	SOCKET(retransmits),
	SOCKET(probes_out),
	SOCKET(backoff),
	SOCKET(keepalive_probes),
	SOCKET(retrans_ms),
	SOCKET(probes_ms),
	SOCKET(resent),
	SOCKET(held_back),
	SOCKET(dropped),
	SOCKET(last_try),
	SOCKET(aside),
	SOCKET(sent_ms),
	SOCKET(rto_ms),
	SOCKET(rto_max_ms),
	SOCKET(keepalive_time_ms),
	SOCKET(keepalive_interval_ms),
	SOCKET(retries2),
	SOCKET(orphan_retries),
	SOCKET(syn_retries),
	SOCKET(syn_linear),
	SOCKET(ack_backlog),
	SOCKET(max_ack_backlog),
	SOCKET(drops),
	SOCKET(overflows),
	SOCKET(syn_drops),
};

#define RECORD(m) MEMBER(lp_record, m)
static const struct member record[] = {
	RECORD(version), RECORD(kind),           RECORD(who),  RECORD(waits),  RECORD(reset_reason), RECORD(time_ns),
	RECORD(born_ns), RECORD(established_ns), RECORD(task), RECORD(socket),
};

#define HOLDER(m) MEMBER(lp_holder, m)
static const struct member holder[] = {
	HOLDER(key), HOLDER(inode), HOLDER(task), HOLDER(fd), HOLDER(listening),
};

#define CGROUP(m) MEMBER(lp_cgroup, m)
static const struct member cgroup[] = {
	CGROUP(id),
	CGROUP(maker),
	CGROUP(path),
};

#define EXITED(m) MEMBER(lp_exited, m)
static const struct member exited[] = {
	EXITED(start_boot_ns),
	EXITED(cgroup_id),
};

#define ENDED(m) MEMBER(lp_ended, m)
static const struct member ended[] = {
	ENDED(time_ns),
	ENDED(socket),
	ENDED(owner),
	ENDED(initial),
};

#define WANTS(m) MEMBER(lp_wants, m)
static const struct member wants[] = {
	WANTS(classes),
	WANTS(netns),
	WANTS(of_uids),
};

#define HELD(m) MEMBER(lp_held, m)
static const struct member held[] = {
	HELD(socket),
	HELD(task),
	HELD(fd),
	HELD(pad),
};

#define DWELLER(m) MEMBER(lp_dweller, m)
static const struct member dweller[] = {
	DWELLER(tid),
	DWELLER(netns),
};

#define LISTED(m) MEMBER(lp_listed, m)
static const struct member listed[] = {
	LISTED(since_ns), LISTED(snd_una), LISTED(ports), LISTED(ended), LISTED(unused),
};

#define FILLED(m) MEMBER(lp_filled, m)
static const struct member filled[] = {
	FILLED(since_ns),   FILLED(drops),           FILLED(queues),      FILLED(refused),
	FILLED(signatures), FILLED(several_sources), FILLED(source_addr),
};

#define REFUSED(m) MEMBER(lp_refused, m)
static const struct member refused[] = {
	REFUSED(time_ns),
	REFUSED(signature),
	REFUSED(unused),
};

#define ALARMS(m) MEMBER(lp_alarms, m)
static const struct member alarms[] = {
	ALARMS(silent),
	ALARMS(fins),
	ALARMS(queues),
};

static struct bpf_object *objects[2]; /* of the hooks and of the look */
static const struct btf *btf;

static int open_objects(void **state)
{
	const void *bytes;
	size_t size;

	(void)state;
	bytes = lostpeer__elf_bytes(&size);
	objects[0] = bpf_object__open_mem(bytes, size, NULL);
	bytes = check__elf_bytes(&size);
	objects[1] = bpf_object__open_mem(bytes, size, NULL);
	btf = objects[0] ? bpf_object__btf(objects[0]) : NULL;
	return btf && objects[1] ? 0 : -1;
}

static int close_objects(void **state)
{
	(void)state;
	bpf_object__close(objects[0]);
	bpf_object__close(objects[1]);
	return 0;
}

/* Our members must be all members of the object's struct and leave no hole. */
static void check_layout(const char *name, size_t size, const struct member *ours, size_t count)
{
	const struct btf_type *type = btf__type_by_id(btf, (__u32)btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT));
	const struct btf_member *theirs;
	size_t end = 0;

	assert_non_null(type);
	assert_int_equal(type->size, size);
	assert_int_equal(btf_vlen(type), count);
	theirs = btf_members(type);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(btf__name_by_offset(btf, theirs[i].name_off), ours[i].name);
		assert_int_equal(btf_member_bitfield_size(type, (__u32)i), 0);
		assert_int_equal(btf_member_bit_offset(type, (__u32)i), ours[i].offset * 8);
		assert_int_equal(btf__resolve_size(btf, theirs[i].type), ours[i].size);
		assert_int_equal(ours[i].offset, end);
		end = ours[i].offset + ours[i].size;
	}
	assert_int_equal(end, size);
}

static void test_task(void **state)
{
	(void)state;
	check_layout("lp_task", sizeof(struct lp_task), task, COUNT(task));
}

static void test_record(void **state)
{
	(void)state;
	check_layout("lp_identity", sizeof(struct lp_identity), identity, COUNT(identity));
	check_layout("lp_socket", sizeof(struct lp_socket), socket_members, COUNT(socket_members));
	check_layout("lp_record", sizeof(struct lp_record), record, COUNT(record));
}

static void test_holder(void **state)
{
	(void)state;
	check_layout("lp_holder", sizeof(struct lp_holder), holder, COUNT(holder));
}

static void test_cgroup(void **state)
{
	(void)state;
	check_layout("lp_cgroup", sizeof(struct lp_cgroup), cgroup, COUNT(cgroup));
	check_layout("lp_exited", sizeof(struct lp_exited), exited, COUNT(exited));
	check_layout("lp_past", sizeof(struct lp_past), past, COUNT(past));
	check_layout("lp_ended", sizeof(struct lp_ended), ended, COUNT(ended));
}

static void test_wants(void **state)
{
	(void)state;
	check_layout("lp_wants", sizeof(struct lp_wants), wants, COUNT(wants));
}

static void test_lists(void **state)
{
	(void)state;
	check_layout("lp_listed", sizeof(struct lp_listed), listed, COUNT(listed));
	check_layout("lp_filled", sizeof(struct lp_filled), filled, COUNT(filled));
	check_layout("lp_refused", sizeof(struct lp_refused), refused, COUNT(refused));
	check_layout("lp_alarms", sizeof(struct lp_alarms), alarms, COUNT(alarms));
}

static void test_look(void **state)
{
	(void)state;
	btf = bpf_object__btf(objects[1]);
	assert_non_null(btf);
	check_layout("lp_identity", sizeof(struct lp_identity), identity, COUNT(identity));
	check_layout("lp_socket", sizeof(struct lp_socket), socket_members, COUNT(socket_members));
	check_layout("lp_held", sizeof(struct lp_held), held, COUNT(held));
	check_layout("lp_dweller", sizeof(struct lp_dweller), dweller, COUNT(dweller));
	check_layout("lp_task", sizeof(struct lp_task), task, COUNT(task));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_task),   cmocka_unit_test(test_record), cmocka_unit_test(test_holder),
		cmocka_unit_test(test_cgroup), cmocka_unit_test(test_wants),  cmocka_unit_test(test_lists),
		cmocka_unit_test(test_look), /* last: it uses the other object */
	};

	return cmocka_run_group_tests_name("layout", tests, open_objects, close_objects);
}
