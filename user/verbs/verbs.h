/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The verbs, each in its own file. They get their own argv (argv[0] is the verb) and return the exit status. */
#ifndef LOSTPEER_VERBS_H
#define LOSTPEER_VERBS_H

int watch_main(int argc, char **argv);
int check_main(int argc, char **argv);
int agent_main(int argc, char **argv);
int demo_main(int argc, char **argv);
int doctor_main(int argc, char **argv);

#endif
