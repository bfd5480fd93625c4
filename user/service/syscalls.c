/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "service/syscalls.h"

#include <asm/ioctls.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <stddef.h>
#include <sys/socket.h>

#define ONLY(name, argument, value) {name, 1, argument, 0, value}
#define ANY(name) {name, 0, 0, 0, 0}

/* There is none to run a program, to load one into the kernel, to become somebody else, to look into another process, or to
 * change mounts, namespaces, modules or the clock. */
const struct syscall_rule syscall_rules[] = {
	/* the maps, the walks over open files, who was missed; neither BPF_PROG_LOAD nor BPF_MAP_CREATE */
	ONLY("bpf", 0, BPF_MAP_LOOKUP_ELEM),
	ONLY("bpf", 0, BPF_MAP_UPDATE_ELEM),
	ONLY("bpf", 0, BPF_MAP_DELETE_ELEM),
	ONLY("bpf", 0, BPF_MAP_GET_NEXT_KEY),
	ONLY("bpf", 0, BPF_MAP_LOOKUP_BATCH),
	ONLY("bpf", 0, BPF_MAP_LOOKUP_AND_DELETE_BATCH),
	ONLY("bpf", 0, BPF_PROG_TEST_RUN),
	ONLY("bpf", 0, BPF_OBJ_GET_INFO_BY_FD),
	ONLY("bpf", 0, BPF_RAW_TRACEPOINT_OPEN),
	ONLY("bpf", 0, BPF_LINK_CREATE),
	ONLY("bpf", 0, BPF_ITER_CREATE),
	/* the loop */
	ANY("epoll_wait"), ANY("epoll_pwait"), ANY("epoll_pwait2"), ANY("epoll_ctl"), ANY("epoll_create1"),
	ANY("timerfd_settime"), ANY("timerfd_create"), ANY("eventfd2"), ANY("signalfd4"), ANY("read"), ANY("write"),
	ANY("poll"), ANY("ppoll"), ANY("select"), ANY("pselect6"),
	/* where a process lives, and what it runs; configuration, outputs, the zone of local time */
	ANY("open"), ANY("openat"), ANY("openat2"), ANY("open_by_handle_at"), ANY("close"), ANY("close_range"),
	ANY("readlink"), ANY("readlinkat"), ANY("stat"), ANY("fstat"), ANY("newfstatat"), ANY("statx"), ANY("lstat"),
	ANY("fstatfs"), ANY("access"), ANY("faccessat"), ANY("faccessat2"), ANY("getdents64"), ANY("lseek"),
	ANY("pread64"), ANY("pwrite64"), ANY("readv"), ANY("writev"), ANY("fcntl"), ANY("dup"), ANY("dup2"), ANY("dup3"),
	ANY("ftruncate"), ANY("fsync"), ANY("fdatasync"), ANY("fchmod"), ANY("fchmodat"), ANY("chmod"), ANY("unlink"),
	ANY("unlinkat"), ANY("mkdir"), ANY("mkdirat"), ANY("rename"), ANY("renameat"), ANY("renameat2"), ANY("umask"),
	ANY("getcwd"), ANY("pipe2"),
	ONLY("ioctl", 1, TCGETS), ONLY("ioctl", 1, FIONREAD), ONLY("ioctl", 1, FIONBIO),
	ONLY("ioctl", 1, PERF_EVENT_IOC_DISABLE),
	/* outputs: the journal, a syslog, who scrapes, who subscribes; the service manager */
	ONLY("socket", 0, AF_UNIX), ONLY("socket", 0, AF_INET), ONLY("socket", 0, AF_INET6),
	ONLY("socketpair", 0, AF_UNIX), ANY("connect"), ANY("bind"), ANY("listen"), ANY("accept"), ANY("accept4"),
	ANY("sendto"), ANY("sendmsg"), ANY("sendmmsg"), ANY("recvfrom"), ANY("recvmsg"), ANY("shutdown"),
	ANY("setsockopt"), ANY("getsockopt"), ANY("getsockname"), ANY("getpeername"), ANY("memfd_create"), ANY("sendfile"),
	/* threads, and no processes: see clone3 in privilege.c */
	{"clone", 1, 0, CLONE_THREAD, CLONE_THREAD},
	ANY("futex"), ANY("futex_waitv"), ANY("set_robust_list"), ANY("rseq"), ANY("exit"), ANY("exit_group"),
	ANY("rt_sigaction"), ANY("rt_sigprocmask"), ANY("rt_sigreturn"), ANY("sigaltstack"), ANY("tgkill"),
	ANY("restart_syscall"), ANY("sched_yield"), ANY("sched_getaffinity"), ANY("membarrier"), ANY("prctl"),
	ANY("set_tid_address"), ANY("getcpu"),
	/* memory */
	ANY("brk"), ANY("mmap"), ANY("munmap"), ANY("mremap"), ANY("mprotect"), ANY("madvise"),
	/* who and when we are */
	ANY("getpid"), ANY("gettid"), ANY("getppid"), ANY("getuid"), ANY("geteuid"), ANY("getgid"), ANY("getegid"),
	ANY("uname"), ANY("sysinfo"), ANY("prlimit64"), ANY("getrlimit"), ANY("getrusage"), ANY("getrandom"),
	ANY("clock_gettime"), ANY("clock_getres"), ANY("clock_nanosleep"), ANY("nanosleep"), ANY("gettimeofday"),
	ANY("time"),
	{NULL, 0, 0, 0, 0},
};
