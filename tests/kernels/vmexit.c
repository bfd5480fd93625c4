// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * vmexit STATUS: ends the virtual machine at once and reports STATUS to boot.
 *
 * A power-off would take seconds under emulation, so this uses isa-debug-exit. The status goes through QEMU's debug
 * console, so that nothing confuses it with the command's output. Both are I/O ports. Debian's cloud kernels have no
 * /dev/port, so this uses ioperm().
 */
#include <stdio.h>
#include <sys/io.h>
#include <termios.h>
#include <unistd.h>

#define STATUS_PORT 0xe9 /* boot: -debugcon */
#define EXIT_PORT 0x501  /* boot: -device isa-debug-exit */

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;

	/* The command's last output may still be in the serial port's queue. */
	tcdrain(STDOUT_FILENO);

	if (ioperm(STATUS_PORT, 1, 1) || ioperm(EXIT_PORT, 1, 1)) {
		perror("vmexit: ioperm");
		return 1;
	}
	for (const char *c = argv[1]; *c; c++)
		outb((unsigned char)*c, STATUS_PORT);
	outb(0, EXIT_PORT);
	return 1;
}
