/* Does this build compute the right bits? */
#ifndef SELFTEST_H
#define SELFTEST_H

/* Forward passes and training steps against stored results: 0 if every bit is right, 1 if not. It binds the model to
 * weights of its own (JRG_MODEL_BLOB_BYTES of RAM): bind yours after it. */
int jrg_model_selftest(void);

#endif
