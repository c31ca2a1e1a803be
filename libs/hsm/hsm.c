/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/hsm.h"

#include <errno.h>
#include <fcntl.h>
#include <p11-kit/p11-kit.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codec.h"
#include "crypto/crypto.h"

#define BEGIN     "-----BEGIN SLUICE HSM SEALED PASSPHRASE-----\n"
#define END       "\n-----END SLUICE HSM SEALED PASSPHRASE-----\n"
#define NONCE_LEN 12
#define TAG_BITS  128
#define TAG_LEN   16
#define KEY_BYTES 32
#define SLOTS_MAX 64
#define PIN_MAX   256

struct session {
    CK_FUNCTION_LIST *p11;
    CK_SESSION_HANDLE handle;
    bool opened, logged_in, initialised;
    char *why;
};

static __attribute__((format(printf, 2, 3))) bool fail(struct session *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(s->why, HSM_WHY_MAX, format, args);
    va_end(args);
    return false;
}

static bool good(struct session *s, const char *what, CK_RV rv)
{
    return rv == CKR_OK || fail(s, "%s: %s", what, p11_kit_strerror(rv));
}

/* The PIN --------------------------------------------------------------------------------------
 */
static bool read_pin(struct session *s, const char *file, char pin[static PIN_MAX], size_t *n)
{
    struct stat st;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return fail(s, "the PIN's file: %s", strerror(errno));
    }
    bool ours = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0077) == 0;
    ssize_t got = ours ? read(fd, pin, PIN_MAX) : -1;
    close(fd);
    if (got > 0 && pin[got - 1] == '\n') {
        got--;
    }
    *n = got > 0 ? (size_t)got : 0;
    return (*n > 0 && *n < PIN_MAX) ||
           fail(s, "the PIN's file has to be its owner's alone (mode 0400) and hold the PIN");
}

static bool log_in(struct session *s, const char *pin_file)
{
    char pin[PIN_MAX];
    size_t n = 0;
    bool ok = read_pin(s, pin_file, pin, &n) &&
              good(s, "the token takes no PIN",
                   s->p11->C_Login(s->handle, CKU_USER, (CK_UTF8CHAR *)pin, n));
    crypto_wipe(pin, sizeof pin);
    s->logged_in = ok;
    return ok;
}

/* The token -------------------------------------------------------------------------------------
 */
/* Labels are padded with blanks to 32 bytes. */
static bool has_label(const CK_TOKEN_INFO *info, const char *label)
{
    size_t n = strlen(label);
    if (n > sizeof info->label || memcmp(info->label, label, n) != 0) {
        return false;
    }
    for (; n < sizeof info->label; n++) {
        if (info->label[n] != ' ') {
            return false;
        }
    }
    return true;
}

static bool find_token(struct session *s, const char *label, CK_SLOT_ID *slot)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG n = SLOTS_MAX;
    CK_TOKEN_INFO info;
    if (!good(s, "the module tells no tokens", s->p11->C_GetSlotList(CK_TRUE, slots, &n))) {
        return false;
    }
    for (CK_ULONG i = 0; i < n; i++) {
        if (s->p11->C_GetTokenInfo(slots[i], &info) == CKR_OK && has_label(&info, label)) {
            *slot = slots[i];
            return true;
        }
    }
    return fail(s, "the module has no token '%.64s'", label);
}

static bool session_open(struct session *s, const struct hsm_config *cfg)
{
    CK_SLOT_ID slot = 0;
    s->p11 = p11_kit_module_load(cfg->module, 0);
    if (s->p11 == NULL) {
        return fail(s, "the module cannot be loaded: %s", p11_kit_message());
    }
    s->initialised = good(s, "the module cannot be used", p11_kit_module_initialize(s->p11));
    if (!s->initialised || !find_token(s, cfg->token, &slot)) {
        return false;
    }
    s->opened = good(
        s, "the token cannot be used",
        s->p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s->handle));
    return s->opened && log_in(s, cfg->pin_file);
}

static void session_close(struct session *s)
{
    if (s->logged_in) {
        (void)s->p11->C_Logout(s->handle);
    }
    if (s->opened) {
        (void)s->p11->C_CloseSession(s->handle);
    }
    if (s->initialised) {
        (void)p11_kit_module_finalize(s->p11);
    }
    if (s->p11 != NULL) {
        p11_kit_module_release(s->p11);
    }
}

/* The key ---------------------------------------------------------------------------------------
 */
static bool find_key(struct session *s, const char *label, CK_OBJECT_HANDLE *key, bool *found)
{
    CK_OBJECT_CLASS class_ = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_ATTRIBUTE want[] = {{CKA_CLASS, &class_, sizeof class_},
                           {CKA_KEY_TYPE, &type, sizeof type},
                           {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)}};
    CK_ULONG n = 0;
    if (!good(s, "the token cannot be searched", s->p11->C_FindObjectsInit(s->handle, want, 3))) {
        return false;
    }
    CK_RV rv = s->p11->C_FindObjects(s->handle, key, 1, &n);
    (void)s->p11->C_FindObjectsFinal(s->handle);
    *found = n == 1;
    return good(s, "the token cannot be searched", rv);
}

static bool make_key(struct session *s, const char *label, CK_OBJECT_HANDLE *key)
{
    CK_MECHANISM how = {CKM_AES_KEY_GEN, NULL, 0};
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ULONG bytes = KEY_BYTES;
    CK_ATTRIBUTE of[] = {{CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
                         {CKA_VALUE_LEN, &bytes, sizeof bytes},
                         {CKA_TOKEN, &yes, sizeof yes},
                         {CKA_PRIVATE, &yes, sizeof yes},
                         {CKA_SENSITIVE, &yes, sizeof yes},
                         {CKA_EXTRACTABLE, &no, sizeof no},
                         {CKA_ENCRYPT, &yes, sizeof yes},
                         {CKA_DECRYPT, &yes, sizeof yes}};
    return good(s, "the token makes no key",
                s->p11->C_GenerateKey(s->handle, &how, of, sizeof of / sizeof *of, key));
}

static CK_GCM_PARAMS gcm_of(uint8_t nonce[static NONCE_LEN])
{
    return (CK_GCM_PARAMS){
        .pIv = nonce, .ulIvLen = NONCE_LEN, .ulIvBits = NONCE_LEN * 8, .ulTagBits = TAG_BITS};
}

static bool encrypt(struct session *s, CK_OBJECT_HANDLE key, struct slice plain, uint8_t *out,
                    size_t *n)
{
    CK_ULONG room = plain.n + TAG_LEN;
    crypto_random(out, NONCE_LEN);
    CK_GCM_PARAMS gcm = gcm_of(out);
    CK_MECHANISM how = {CKM_AES_GCM, &gcm, sizeof gcm};
    bool ok = good(s, "the token seals nothing", s->p11->C_EncryptInit(s->handle, &how, key)) &&
              good(s, "the token seals nothing",
                   s->p11->C_Encrypt(s->handle, (CK_BYTE *)(uintptr_t)plain.p, plain.n,
                                     out + NONCE_LEN, &room));
    *n = ok ? NONCE_LEN + room : 0;
    return ok;
}

static bool decrypt(struct session *s, CK_OBJECT_HANDLE key, uint8_t *sealed, size_t sealed_n,
                    char *out, size_t *n)
{
    CK_ULONG room = HSM_PLAIN_MAX - 1;
    CK_GCM_PARAMS gcm = gcm_of(sealed);
    CK_MECHANISM how = {CKM_AES_GCM, &gcm, sizeof gcm};
    bool ok = good(s, "the token opens nothing", s->p11->C_DecryptInit(s->handle, &how, key)) &&
              good(s, "the token does not open it: it was altered, or sealed under another key",
                   s->p11->C_Decrypt(s->handle, sealed + NONCE_LEN, sealed_n - NONCE_LEN,
                                     (CK_BYTE *)out, &room));
    *n = ok ? room : 0;
    out[*n] = '\0';
    return ok;
}

/* Text ------------------------------------------------------------------------------------------
 */
bool hsm_seal(const struct hsm_config *cfg, struct slice plain, char text[static HSM_TEXT_MAX],
              size_t *n, char why[static HSM_WHY_MAX])
{
    uint8_t sealed[NONCE_LEN + HSM_PLAIN_MAX + TAG_LEN];
    struct session s = {.why = why};
    CK_OBJECT_HANDLE key = 0;
    size_t sealed_n = 0;
    bool found = false;
    _Static_assert(sizeof BEGIN + CODEC_BASE64_LEN(sizeof sealed) + sizeof END <= HSM_TEXT_MAX,
                   "the longest text has room");
    if (plain.n == 0 || plain.n >= HSM_PLAIN_MAX) {
        return fail(&s, "there is nothing to seal, or too much");
    }
    bool ok = session_open(&s, cfg) && find_key(&s, cfg->key, &key, &found) &&
              (found || make_key(&s, cfg->key, &key)) && encrypt(&s, key, plain, sealed, &sealed_n);
    session_close(&s);
    if (!ok) {
        return false;
    }
    memcpy(text, BEGIN, sizeof BEGIN - 1);
    *n = sizeof BEGIN - 1;
    *n += codec_base64(text + *n, sealed, sealed_n);
    memcpy(text + *n, END, sizeof END);
    *n += sizeof END - 1;
    return true;
}

static bool read_text(struct session *s, struct slice text, uint8_t *sealed, size_t room, size_t *n)
{
    size_t around = sizeof BEGIN - 1 + sizeof END - 1;
    bool ok = text.n > around && memcmp(text.p, BEGIN, sizeof BEGIN - 1) == 0 &&
              memcmp(text.p + text.n - (sizeof END - 1), END, sizeof END - 1) == 0 &&
              codec_unbase64(sealed, room, n, text.p + sizeof BEGIN - 1, text.n - around) &&
              *n > NONCE_LEN + TAG_LEN;
    return ok || fail(s, "it is no passphrase sealed by a hardware module");
}

bool hsm_open(const struct hsm_config *cfg, struct slice text, char plain[static HSM_PLAIN_MAX],
              size_t *n, char why[static HSM_WHY_MAX])
{
    uint8_t sealed[NONCE_LEN + HSM_PLAIN_MAX + TAG_LEN];
    struct session s = {.why = why};
    CK_OBJECT_HANDLE key = 0;
    size_t sealed_n = 0;
    bool found = false;
    *n = 0;
    if (!read_text(&s, text, sealed, sizeof sealed, &sealed_n)) {
        return false;
    }
    bool ok = session_open(&s, cfg) && find_key(&s, cfg->key, &key, &found) &&
              (found || fail(&s, "the token has no AES key '%.64s'", cfg->key)) &&
              decrypt(&s, key, sealed, sealed_n, plain, n);
    session_close(&s);
    return ok;
}
