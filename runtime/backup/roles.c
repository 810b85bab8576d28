/*
 * Roles are read out of the SQL that pg_restore writes, whose form is known: it is cut into tokens,
 * so that nothing inside of a string, a function's body or a quoted name is taken for a keyword.
 */
#include "roles.h"

#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "pg/session.h"

enum {
    NAMED_MAX = 8,                     /* roles in one message */
    ARRAY_BYTES_MAX = 1024 * 1024 * 8, /* all names as one array */
    ROLES_MAX = 100000,                /* more are an error */
};

enum token_kind { T_END, T_WORD, T_QUOTED, T_OTHER };

struct token {
    enum token_kind kind; /* T_WORD: as it stands; T_QUOTED: without its outer quotes */
    const char *at;       /* borrowed from the SQL */
    size_t n;             /* bytes at `at` */
};

struct need {
    char *name;  /* owned */
    bool acts;   /* things become this role's */
    bool grants; /* it granted something by itself */
};

struct needs {
    struct need *list; /* n entries */
    size_t n;          /* used */
    size_t cap;        /* allocated */
    bool failed;       /* out of memory, or too many */
};

/* ---------------------------------------------------------------- tokens */

static bool word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

/* Past a quoted thing whose opening quote is at p; quotes inside are doubled, or (escapes) behind a
 * backslash. */
static const char *past_quoted(const char *p, bool escapes)
{
    char quote = *p++;
    while (*p) {
        if (escapes && *p == '\\' && p[1]) {
            p++;
        } else if (*p == quote && p[1] == quote) {
            p++;
        } else if (*p == quote) {
            return p + 1;
        }
        p++;
    }
    return p;
}

/* Past $tag$ … $tag$; NULL when p is no such opening. */
static const char *past_dollars(const char *p)
{
    const char *end = p + 1;
    while (word_byte(*end) && *end != '$') {
        end++;
    }
    if (*end != '$') {
        return NULL;
    }
    size_t n = (size_t)(end + 1 - p);
    for (const char *at = end + 1; (at = strchr(at, '$')) != NULL; at++) {
        if (strncmp(at, p, n) == 0) {
            return at + n;
        }
    }
    return p + strlen(p);
}

static const char *past_blanks(const char *p)
{
    for (;;) {
        p += strspn(p, " \t\r\n\f");
        if (p[0] != '-' || p[1] != '-') {
            return p;
        }
        p += strcspn(p, "\n");
    }
}

static struct token next_token(const char **sql)
{
    const char *p = past_blanks(*sql);
    const char *end = NULL;
    struct token token = {.kind = T_OTHER, .at = p};
    if (!*p) {
        token.kind = T_END;
        end = p;
    } else if (*p == '"') {
        end = past_quoted(p, false);
        *sql = end;
        return (struct token){T_QUOTED, p + 1, (size_t)(end - p) - 2};
    } else if (*p == '\'') {
        end = past_quoted(p, false);
    } else if ((*p == 'E' || *p == 'e') && p[1] == '\'') {
        end = past_quoted(p + 1, true);
    } else if (*p == '$') {
        end = past_dollars(p);
    } else if (word_byte(*p)) {
        token.kind = T_WORD;
        for (end = p; word_byte(*end); end++) {
        }
    }
    end = end ? end : p + 1;
    token.n = (size_t)(end - p);
    *sql = end;
    return token;
}

static bool is(const struct token *token, const char *keyword)
{
    return token->kind == T_WORD && strlen(keyword) == token->n &&
           strncasecmp(token->at, keyword, token->n) == 0;
}

static bool is_sign(const struct token *token, char sign)
{
    return token->kind == T_OTHER && token->n == 1 && *token->at == sign;
}

/* ---------------------------------------------------------------- roles */

static struct need *find(struct needs *needs, const char *name)
{
    for (size_t i = 0; i < needs->n; i++) {
        if (strcmp(needs->list[i].name, name) == 0) {
            return &needs->list[i];
        }
    }
    if (needs->n == needs->cap) {
        size_t cap = needs->cap ? needs->cap * 2 : 16;
        struct need *list = realloc(needs->list, cap * sizeof *list);
        if (!list || cap > ROLES_MAX) {
            needs->failed = true;
            return NULL;
        }
        needs->list = list;
        needs->cap = cap;
    }
    char *copy = strdup(name);
    needs->failed |= !copy;
    if (!copy) {
        return NULL;
    }
    needs->list[needs->n] = (struct need){.name = copy};
    return &needs->list[needs->n++];
}

/* Notes the role a token names; PUBLIC is none. */
static void note(struct needs *needs, const struct token *token, bool acts, bool grants)
{
    if ((token->kind != T_WORD && token->kind != T_QUOTED) || is(token, "PUBLIC")) {
        return;
    }
    char *name = strndup(token->at, token->n);
    if (!name) {
        needs->failed = true;
        return;
    }
    char *to = name;
    for (const char *from = name; *from; from++) { /* doubled quotes stand for one */
        *to++ = *from;
        from += token->kind == T_QUOTED && from[0] == '"' && from[1] == '"';
    }
    *to = '\0';
    struct need *need = find(needs, name);
    if (need) {
        need->acts |= acts;
        need->grants |= grants;
    }
    free(name);
}

/* A list of roles, "a, b", whose first is `token`; returns the token after it. */
static struct token note_list(struct needs *needs, const char **sql, struct token token)
{
    note(needs, &token, false, false);
    token = next_token(sql);
    while (is_sign(&token, ',')) {
        token = next_token(sql);
        note(needs, &token, false, false);
        token = next_token(sql);
    }
    return token;
}

static bool starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static void read_entry(struct needs *needs, const struct cl_script_entry *entry)
{
    bool acl = entry->turn == CL_TURN_PRIVILEGES;
    bool policy = starts_with(entry->label, "POLICY ");
    bool mapping = starts_with(entry->label, "USER MAPPING ");
    const char *sql = entry->sql;
    struct token before = {.kind = T_OTHER, .at = "", .n = 0};
    struct token token = next_token(&sql);
    int depth = 0;
    while (token.kind != T_END) {
        struct token next = next_token(&sql);
        depth += is_sign(&token, '(') - is_sign(&token, ')');
        if (is(&before, "OWNER") && is(&token, "TO")) {
            note(needs, &next, true, false);
        } else if (acl && (is(&token, "TO") || is(&token, "FROM"))) {
            note(needs, &next, false, false);
        } else if (acl && is(&before, "SESSION") && is(&token, "AUTHORIZATION")) {
            note(needs, &next, false, true);
        } else if (acl && is(&before, "FOR") && is(&token, "ROLE")) {
            note(needs, &next, true, false);
        } else if (mapping && is(&before, "MAPPING") && is(&token, "FOR")) {
            note(needs, &next, false, false);
        } else if (policy && depth == 0 && is(&token, "TO")) {
            next = note_list(needs, &sql, next);
            policy = false;
        }
        before = token;
        token = next;
    }
}

/* ---------------------------------------------------------------- large objects */

bool cl_object_roles_read(struct cl_object_roles *roles, PGconn *source, struct cl_err *err)
{
    roles->rows = cl_pg_query(source, cl_embedded("runtime/backup/largeobject_roles.sql")->data, 0,
                              NULL, err);
    if (!roles->rows) {
        return cl_err_context(err, "source: roles of large objects");
    }
    size_t n = (size_t)PQntuples(roles->rows);
    roles->list = calloc(n + 1, sizeof *roles->list);
    if (!roles->list) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        roles->list[i] =
            (struct cl_object_role){.name = PQgetvalue(roles->rows, (int)i, 0),
                                    .owns = *PQgetvalue(roles->rows, (int)i, 1) == 't',
                                    .granted = *PQgetvalue(roles->rows, (int)i, 2) == 't',
                                    .grants = *PQgetvalue(roles->rows, (int)i, 3) == 't'};
    }
    roles->n = n;
    return true;
}

void cl_object_roles_fini(struct cl_object_roles *roles)
{
    free(roles->list);
    PQclear(roles->rows);
    memset(roles, 0, sizeof *roles);
}

static void need_objects(struct needs *needs, const struct cl_object_roles *objects, unsigned leave)
{
    for (size_t i = 0; i < objects->n; i++) {
        const struct cl_object_role *role = &objects->list[i];
        bool owns = role->owns && !(leave & CL_LEAVE_OWNERS);
        bool named = role->granted && !(leave & CL_LEAVE_PRIVILEGES);
        struct need *need = owns || named ? find(needs, role->name) : NULL;
        if (need) {
            need->acts |= owns;
            need->grants |= named && role->grants;
        }
    }
}

/* ---------------------------------------------------------------- the target */

/* The names as an array's literal, and the flags beside them. */
static void add_arrays(const struct needs *needs, struct cl_buf out[3])
{
    for (int i = 0; i < 3; i++) {
        cl_buf_addc(&out[i], '{');
    }
    for (size_t i = 0; i < needs->n; i++) {
        const struct need *need = &needs->list[i];
        const char *comma = i > 0 ? "," : "";
        cl_buf_addf(&out[0], "%s\"", comma);
        for (const char *p = need->name; *p; p++) {
            if (*p == '"' || *p == '\\') {
                cl_buf_addc(&out[0], '\\');
            }
            cl_buf_addc(&out[0], *p);
        }
        cl_buf_addc(&out[0], '"');
        cl_buf_addf(&out[1], "%s%c", comma, need->acts ? 't' : 'f');
        cl_buf_addf(&out[2], "%s%c", comma, need->grants ? 't' : 'f');
    }
    for (int i = 0; i < 3; i++) {
        cl_buf_addc(&out[i], '}');
    }
}

static bool fail_roles(const PGresult *r, struct cl_err *err)
{
    struct cl_buf names;
    bool missing = *PQgetvalue(r, 0, 1) == 't';
    int n = 0;
    cl_buf_init(&names, ARRAY_BYTES_MAX);
    for (int i = 0; i < PQntuples(r) && (*PQgetvalue(r, i, 1) == 't') == missing; i++) {
        if (n++ < NAMED_MAX) {
            cl_buf_addf(&names, "%s'%s'", n > 1 ? ", " : "", PQgetvalue(r, i, 0));
        }
    }
    if (n > NAMED_MAX) {
        cl_buf_addf(&names, " and %d more", n - NAMED_MAX);
    }
    if (missing) {
        cl_fail(err, CL_NOT_FOUND, "E_NO_ROLE",
                "the target's server lacks role %s, which own or are granted what is to be copied: "
                "create them, or copy with leave = {\"owners\", \"privileges\"}",
                cl_buf_str(&names));
    } else {
        cl_fail(err, CL_PERMISSION, "E_NOT_MEMBER",
                "the target's user may not make things role %s's: grant membership to the user, or "
                "copy with leave = {\"owners\", \"privileges\"}",
                cl_buf_str(&names));
    }
    cl_buf_fini(&names);
    return false;
}

static bool ask_target(PGconn *target, const struct needs *needs, struct cl_err *err)
{
    struct cl_buf arrays[3];
    for (int i = 0; i < 3; i++) {
        cl_buf_init(&arrays[i], ARRAY_BYTES_MAX);
    }
    add_arrays(needs, arrays);
    const char *params[] = {cl_buf_str(&arrays[0]), cl_buf_str(&arrays[1]), cl_buf_str(&arrays[2])};
    PGresult *r =
        cl_pg_query(target, cl_embedded("runtime/backup/roles_check.sql")->data, 3, params, err);
    bool ok = r && (PQntuples(r) == 0 || fail_roles(r, err));
    PQclear(r);
    for (int i = 0; i < 3; i++) {
        cl_buf_fini(&arrays[i]);
    }
    return ok;
}

bool cl_roles_check(PGconn *target, const struct cl_script *const *scripts, size_t n,
                    const struct cl_object_roles *objects, unsigned leave, struct cl_err *err)
{
    struct needs needs = {0};
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < scripts[i]->n_entries; j++) {
            read_entry(&needs, &scripts[i]->entries[j]);
        }
    }
    if (objects) {
        need_objects(&needs, objects, leave);
    }
    bool ok =
        !needs.failed || cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory reading the roles");
    ok = ok && (needs.n == 0 || ask_target(target, &needs, err));
    for (size_t i = 0; i < needs.n; i++) {
        free(needs.list[i].name);
    }
    free(needs.list);
    return ok;
}
