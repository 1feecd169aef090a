/* Ties port, node and model together. A port without a framework uses main.c; a port within one calls the two itself. */
#ifndef JRG_APP_H
#define JRG_APP_H

#ifdef __cplusplus
extern "C" {
#endif

/* Once, after jrg_port_start: says the line for a person, starts the node. */
void jrg_app_start(void);

/* For ever: works off what has come, sends what is due, sleeps if there is nothing to do. */
void jrg_app_serve(void);

#ifdef __cplusplus
}
#endif
#endif
