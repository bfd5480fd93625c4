/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Units and containers of processes, from cgroup paths of real hosts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "event/place.h"

#define ID "8e4f28a0bf1a2c3d4e5f60718293a4b5c6d7e8f90123456789abcdef01234567"
#define ID2 "0011223344556677889900aabbccddeeff0011223344556677889900aabbccdd"
#define UID "2f5e1a6c-0d3b-4c8e-9a7f-1b2c3d4e5f60"
#define UID_ "2f5e1a6c_0d3b_4c8e_9a7f_1b2c3d4e5f60"
#define STATIC_UID "4b1a0d2c3e5f60718293a4b5c6d7e8f9"

struct place_case {
	const char *path, *unit, *slice, *container, *runtime, *pod;
};

static void check(const struct place_case *cases, size_t n)
{
	struct place place;

	for (size_t i = 0; i < n; i++) {
		const struct place_case *t = &cases[i];
		const struct {
			const char *what, *wanted, *got;
		} words[] = {
			{"unit", t->unit, place.unit},
			{"slice", t->slice, place.slice},
			{"container", t->container, place.container},
			{"runtime", t->runtime, NULL},
			{"pod", t->pod, place.pod},
		};

		memset(&place, 0xa5, sizeof(place));
		place_read(t->path, &place);
		for (size_t w = 0; w < sizeof(words) / sizeof(*words); w++) {
			const char *wanted = words[w].wanted ? words[w].wanted : "";
			const char *got = words[w].got ? words[w].got : place_runtime_name(place.runtime);

			if (strcmp(wanted, got))
				fail_msg("%s: %s is '%s', not '%s'", t->path, words[w].what, got, wanted);
		}
	}
}
#define CHECK(cases) check(cases, sizeof(cases) / sizeof(*(cases)))

static void test_units(void **state)
{
	static const struct place_case cases[] = {
		{"/", NULL, NULL, NULL, NULL, NULL},
		{"", NULL, NULL, NULL, NULL, NULL},
		{"/init.scope", "init.scope", NULL, NULL, NULL, NULL},
		{"/system.slice", NULL, "system.slice", NULL, NULL, NULL},
		{"/system.slice/nginx.service", "nginx.service", "system.slice", NULL, NULL, NULL},
		{"/nginx.service", "nginx.service", NULL, NULL, NULL, NULL},
		/* cgroups that a unit makes below its own are not units */
		{"/system.slice/nginx.service/worker-1", "nginx.service", "system.slice", NULL, NULL, NULL},
		{"/system.slice/app.service/inner.service", "app.service", "system.slice", NULL, NULL, NULL},
		{"/system.slice/system-postgresql.slice/postgresql@15-main.service", "postgresql@15-main.service",
		 "system-postgresql.slice", NULL, NULL, NULL},
		{"/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service", "system-getty.slice",
		 NULL, NULL, NULL},
		{"/a.slice/a-b.slice/a-b-c.slice/x.service", "x.service", "a-b-c.slice", NULL, NULL, NULL},
		{"/system.slice/dev-disk-by\\x2duuid-0f.swap", "dev-disk-by\\x2duuid-0f.swap", "system.slice", NULL,
		 NULL, NULL},
		{"/system.slice/run-u12.service", "run-u12.service", "system.slice", NULL, NULL, NULL},
		/* escaped, as the kernel has the name */
		{"/system.slice/_cpu.service", "cpu.service", "system.slice", NULL, NULL, NULL},
		/* a template is not a unit, nor is a name that only looks like one */
		{"/system.slice/getty@.service", NULL, "system.slice", NULL, NULL, NULL},
		{"/system.slice/.service", NULL, "system.slice", NULL, NULL, NULL},
		{"/system.slice/@a.service", NULL, "system.slice", NULL, NULL, NULL},
		{"/system.slice/a b.service", NULL, "system.slice", NULL, NULL, NULL},
		{"/system.slice/nginx.services", NULL, "system.slice", NULL, NULL, NULL},
		{"/system.slice/nginx", NULL, "system.slice", NULL, NULL, NULL},
		{"/web/nginx.service", NULL, NULL, NULL, NULL, NULL},
		{"/process_api/23daa50bb42755f088a8d5ea91b78275", NULL, NULL, NULL, NULL, NULL},
	};

	(void)state;
	CHECK(cases);
}

static void test_users(void **state)
{
	static const struct place_case cases[] = {
		{"/user.slice/user-1000.slice/session-3.scope", "session-3.scope", "user-1000.slice", NULL, NULL, NULL},
		{"/user.slice/user-1000.slice/user@1000.service", "user@1000.service", "user-1000.slice", NULL, NULL,
		 NULL},
		{"/user.slice/user-1000.slice/user@1000.service/init.scope", "user@1000.service", "user-1000.slice",
		 NULL, NULL, NULL},
		{"/user.slice/user-1000.slice/user@1000.service/app.slice/firefox.service", "firefox.service",
		 "app.slice", NULL, NULL, NULL},
		{"/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-x\\x2dterm-4711.scope/tab",
		 "app-gnome-x\\x2dterm-4711.scope", "app.slice", NULL, NULL, NULL},
		{"/user.slice/user-1000.slice/user@1000.service/dbus.service", "dbus.service", "", NULL, NULL, NULL},
		{"/user.slice/user-1000.slice/user@1000.service/app.slice", "user@1000.service", "user-1000.slice",
		 NULL, NULL, NULL},
		/* not a user's manager */
		{"/system.slice/user@name.service/a.service", "user@name.service", "system.slice", NULL, NULL, NULL},
	};
	struct place place;

	(void)state;
	CHECK(cases);
	place_read(cases[3].path, &place);
	assert_string_equal(place.system_unit, "user@1000.service");
	place_read("/system.slice/nginx.service", &place);
	assert_string_equal(place.system_unit, "nginx.service");
}

static void test_containers_of_systemd(void **state)
{
	static const struct place_case cases[] = {
		{"/system.slice/docker-" ID ".scope", "docker-" ID ".scope", "system.slice", ID, "docker", NULL},
		/* systemd in a container: its units are not the host's */
		{"/system.slice/docker-" ID ".scope/system.slice/nginx.service", "docker-" ID ".scope", "system.slice",
		 ID, "docker", NULL},
		{"/system.slice/docker.service", "docker.service", "system.slice", NULL, NULL, NULL},
		{"/system.slice/containerd.service", "containerd.service", "system.slice", NULL, NULL, NULL},
		{"/system.slice/nerdctl-" ID ".scope", "nerdctl-" ID ".scope", "system.slice", ID, "containerd", NULL},
		{"/machine.slice/libpod-" ID ".scope/container", "libpod-" ID ".scope", "machine.slice", ID, "podman",
		 NULL},
		{"/machine.slice/libpod-conmon-" ID ".scope", "libpod-conmon-" ID ".scope", "machine.slice", NULL, NULL,
		 NULL},
		{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope/container",
		 "libpod-" ID ".scope", "user.slice", ID, "podman", NULL},
		/* podman with --cgroups=split, which quadlet uses */
		{"/system.slice/web.service/libpod-payload-" ID, "web.service", "system.slice", ID, "podman", NULL},
		{"/system.slice/web.service/runtime", "web.service", "system.slice", NULL, NULL, NULL},
		{"/system.slice/runc-web-1.scope", "runc-web-1.scope", "system.slice", "web-1", "runc", NULL},
		{"/system.slice/crun-web-1.scope", "crun-web-1.scope", "system.slice", "web-1", "crun", NULL},
		{"/user.slice/user-1000.slice/user@1000.service/user.slice/crun-web.scope", "crun-web.scope",
		 "user.slice", "web", "crun", NULL},
		{"/machine.slice/machine-debian\\x2d12.scope/payload/init.scope", "machine-debian\\x2d12.scope",
		 "machine.slice", "debian-12", "systemd-nspawn", NULL},
		{"/machine.slice/machine-web.scope", "machine-web.scope", "machine.slice", "web", "systemd-nspawn",
		 NULL},
		{"/machine.slice/machine-web.scope/supervisor", "machine-web.scope", "machine.slice", NULL, NULL, NULL},
		{"/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service",
		 "systemd-nspawn@web.service", "machine.slice", "web", "systemd-nspawn", NULL},
		{"/machine.slice/systemd-nspawn@web.service/supervisor", "systemd-nspawn@web.service", "machine.slice",
		 NULL, NULL, NULL},
		/* a libvirt virtual machine */
		{"/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator", "machine-qemu\\x2d1\\x2dvm.scope",
		 "machine.slice", NULL, NULL, NULL},
		{"/system.slice/docker-short.scope", "docker-short.scope", "system.slice", NULL, NULL, NULL},
	};

	(void)state;
	CHECK(cases);
}

static void test_containers_of_cgroupfs(void **state)
{
	static const struct place_case cases[] = {
		{"/docker/" ID, NULL, NULL, ID, "docker", NULL},
		{"/docker/" ID "/system.slice/nginx.service", NULL, NULL, ID, "docker", NULL},
		/* a container in another */
		{"/docker/" ID "/docker/" ID2, NULL, NULL, ID2, "docker", NULL},
		{"/docker", NULL, NULL, NULL, NULL, NULL},
		{"/docker/buildx", NULL, NULL, NULL, NULL, NULL},
		{"/libpod_parent/libpod-" ID, NULL, NULL, ID, "podman", NULL},
		{"/libpod_parent/conmon", NULL, NULL, NULL, NULL, NULL},
		{"/libpod_parent/libpod-conmon-" ID, NULL, NULL, NULL, NULL, NULL},
		{"/lxc.payload.web-1", NULL, NULL, "web-1", "lxc", NULL},
		{"/lxc.payload.web-1/system.slice/nginx.service", NULL, NULL, "web-1", "lxc", NULL},
		{"/lxc.monitor.web-1", NULL, NULL, NULL, NULL, NULL},
		{"/lxc/101/ns/system.slice/nginx.service", NULL, NULL, "101", "lxc", NULL},
		{"/lxc.payload/web", NULL, NULL, "web", "lxc", NULL},
		/* a container of an unknown runtime */
		{"/ecs/0a1b2c3d/" ID, NULL, NULL, ID, NULL, NULL},
		/* systemd's form of a path, in a runtime that does not use systemd */
		{"/system.slice:docker:" ID, NULL, NULL, ID, "docker", NULL},
		{"/kubepods-burstable-pod" UID_ ".slice:cri-containerd:" ID, NULL, NULL, ID, "containerd", NULL},
		{"/a:b:c", NULL, NULL, NULL, NULL, NULL},
	};

	(void)state;
	CHECK(cases);
}

#define SLICE "kubepods-burstable-pod" UID_ ".slice"
#define BEST "kubepods-besteffort-pod" UID_ ".slice"
#define SURE "kubepods-pod" UID_ ".slice"

static void test_pods(void **state)
{
	static const struct place_case cases[] = {
		{"/kubepods.slice/kubepods-burstable.slice/" SLICE "/cri-containerd-" ID ".scope",
		 "cri-containerd-" ID ".scope", SLICE, ID, "containerd", UID},
		{"/kubepods.slice/kubepods-besteffort.slice/" BEST "/cri-containerd-" ID ".scope",
		 "cri-containerd-" ID ".scope", BEST, ID, "containerd", UID},
		{"/kubepods.slice/" SURE "/cri-containerd-" ID ".scope", "cri-containerd-" ID ".scope", SURE, ID,
		 "containerd", UID},
		{"/kubepods.slice/kubepods-burstable.slice/" SLICE "/crio-" ID ".scope/container", "crio-" ID ".scope",
		 SLICE, ID, "cri-o", UID},
		{"/kubepods.slice/kubepods-burstable.slice/" SLICE "/crio-conmon-" ID ".scope",
		 "crio-conmon-" ID ".scope", SLICE, NULL, NULL, UID},
		{"/kubepods.slice/kubepods-burstable.slice/" SLICE "/docker-" ID ".scope", "docker-" ID ".scope", SLICE,
		 ID, "docker", UID},
		{"/kubepods.slice/kubepods-burstable.slice/" SLICE, NULL, SLICE, NULL, NULL, UID},
		/* a static pod, whose uid is a hash */
		{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" STATIC_UID
		 ".slice/cri-containerd-" ID ".scope",
		 "cri-containerd-" ID ".scope", "kubepods-burstable-pod" STATIC_UID ".slice", ID, "containerd",
		 STATIC_UID},
		{"/kubepods/burstable/pod" UID "/" ID, NULL, NULL, ID, NULL, UID},
		{"/kubepods/besteffort/pod" UID "/" ID, NULL, NULL, ID, NULL, UID},
		{"/kubepods/pod" UID "/" ID, NULL, NULL, ID, NULL, UID},
		{"/kubepods/burstable/pod" STATIC_UID "/" ID, NULL, NULL, ID, NULL, STATIC_UID},
		{"/kubepods/burstable/pod" UID "/crio-" ID, NULL, NULL, ID, "cri-o", UID},
		{"/kubepods/burstable/pod" UID "/crio-conmon-" ID, NULL, NULL, NULL, NULL, UID},
		/* kind: a node is a container */
		{"/docker/" ID "/kubelet/kubepods/burstable/pod" UID "/" ID2, NULL, NULL, ID2, NULL, UID},
		{"/system.slice/docker-" ID ".scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" UID_
		 ".slice/cri-containerd-" ID2 ".scope",
		 "docker-" ID ".scope", "system.slice", ID2, "containerd", UID},
		/* not Kubernetes */
		{"/pod" UID "/x", NULL, NULL, NULL, NULL, NULL},
		{"/kubepods/burstable/podracer", NULL, NULL, NULL, NULL, NULL},
		{"/kubepods/pod2f5e1a6c-0d3b-4c8e-9a7f-1b2c3d4e5fzz", NULL, NULL, NULL, NULL, NULL},
	};

	(void)state;
	CHECK(cases);
}

static void test_long_names(void **state)
{
	char path[2048] = "/system.slice/";
	struct place place;

	(void)state;
	memset(path + strlen(path), 'a', 255 - strlen(".service"));
	strcat(path, ".service");
	place_read(path, &place);
	assert_int_equal(strlen(place.unit), 255);
	memmove(path + 15, path + 14, strlen(path + 14) + 1);
	place_read(path, &place);
	assert_string_equal(place.unit, "");
	strcpy(path, "/lxc.payload.");
	memset(path + strlen(path), 'b', 1024);
	place_read(path, &place);
	assert_string_equal(place.container, "");
	place_read("/machine.slice/machine-a\\x2.scope", &place);
	place_read("/machine.slice/machine-a\\x2d.scope", &place);
	assert_string_equal(place.container, "a-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_containers_of_systemd),
		cmocka_unit_test(test_containers_of_cgroupfs),
		cmocka_unit_test(test_pods),
		cmocka_unit_test(test_long_names),
	};

	return cmocka_run_group_tests_name("place", tests, NULL, NULL);
}
