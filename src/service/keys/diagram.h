/* The life of a key, or of many, as a picture: phases from left to right, SP 800-57 states from top
 * to bottom. Pure. */
#ifndef SERVICE_KEYS_DIAGRAM_H
#define SERVICE_KEYS_DIAGRAM_H

#include "base/bytes.h"
#include "base/op.h"
#include "model/key.h"
#include "service/keys/words.h"

enum diagram_phase {
    DIAGRAM_GENERATE = 0,
    DIAGRAM_STORE,
    DIAGRAM_PROVISION,
    DIAGRAM_USE,
    DIAGRAM_REVOKE,
    DIAGRAM_DESTROY,
    DIAGRAM_PHASES
};
enum { DIAGRAM_LINES_MAX = 5, DIAGRAM_LINE = 48 };

struct diagram_box {
    unsigned n; /* lines; 0: no box */
    char line[DIAGRAM_LINES_MAX][DIAGRAM_LINE];
    bool alert; /* red: something is wrong here */
};

struct diagram {
    char title[160];
    enum key_state now; /* highlighted; KEY_STATE_MAX: none */
    struct diagram_box at[KEY_STATE_MAX][DIAGRAM_PHASES];
};

/* Facts about one key. Texts are any UTF-8; they are escaped. */
struct diagram_key {
    const char *id, *class_, *custody;
    enum key_state state;
    bool has_successor;
    int64_t made_s, due_s, end_s, drill_s, destroyed_s, now_s; /* 0: not */
    uint64_t uses;
};
void diagram_of_key(const struct diagram_key *key, enum word_lang lang, struct diagram *ret);
/* Many keys: begin, then count each. */
void diagram_begin(const char *what, enum word_lang lang, struct diagram *ret);
void diagram_count(struct diagram *diagram, const char *class_, enum key_state state,
                   enum word_lang lang);

kw_status diagram_svg(struct kw_op *op, const struct diagram *diagram, enum word_lang lang,
                      struct kw_bytes *into);
kw_status diagram_mermaid(struct kw_op *op, const struct diagram *diagram, enum word_lang lang,
                          struct kw_bytes *into);

#endif
