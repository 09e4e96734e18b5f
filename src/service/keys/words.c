#include "service/keys/words.h"

#include <string.h>

#include "base/bytes.h"

/* clang-format off */
static const struct {
    const char *id;
    const char *text[WORDS_LANGS];
} messages[] = {
    {"phase.generate",           {"Generate",                      "產生"}},
    {"phase.store",              {"Store",                         "儲存"}},
    {"phase.provision",          {"Provision",                     "配置"}},
    {"phase.use",                {"Use",                           "使用"}},
    {"phase.revoke",             {"Revoke / rotate",               "撤銷／輪替"}},
    {"phase.destroy",            {"Destroy",                       "銷毀"}},
    {"state.pre-active",         {"pre-active",                    "啟用前"}},
    {"state.active",             {"active",                        "使用中"}},
    {"state.suspended",          {"suspended",                     "暫停"}},
    {"state.deactivated",        {"deactivated",                   "停用"}},
    {"state.compromised",        {"compromised",                   "已洩漏"}},
    {"state.destroyed",          {"destroyed",                     "已銷毀"}},
    {"title.lifecycle",          {"Life of key",                   "金鑰生命週期："}},
    {"title.overview",           {"Keys by phase and state",       "金鑰階段與狀態總覽"}},
    {"word.keys",                {"keys",                          "把金鑰"}},
    {"word.uses",                {"uses",                          "次使用"}},
    {"word.until",               {"until",                         "至"}},
    {"word.drill",               {"last drill",                    "最近演練"}},
    {"word.never",               {"never",                         "從未"}},
    {"word.empty",               {"EMPTY: an assessor's finding",  "空白：評鑑缺失"}},
    {"word.findings",            {"empty cells",                   "個空白欄位"}},
    {"column.key_id",            {"key id",                        "金鑰識別碼"}},
    {"column.name",              {"name",                          "名稱"}},
    {"column.purpose",           {"purpose",                       "用途"}},
    {"column.scope",             {"scope",                         "範圍"}},
    {"column.cardinality",       {"fleet cardinality",             "唯一或共用"}},
    {"column.type",              {"SP 800-57 type",                "SP 800-57 類型"}},
    {"column.algorithm",         {"algorithm, strength",           "演算法與強度"}},
    {"column.criticality",       {"critical or public",            "關鍵或公開"}},
    {"column.owner",             {"owner role",                    "負責角色"}},
    {"column.custodians",        {"custodians",                    "保管人"}},
    {"column.generation.where",  {"generation: where",             "產生：地點"}},
    {"column.generation.tool",   {"generation: tool",              "產生：工具"}},
    {"column.generation.module", {"generation: module, validation","產生：模組與驗證"}},
    {"column.generation.rng",    {"generation: random numbers",    "產生：亂數來源"}},
    {"column.generation.by",     {"generation: by",                "產生：執行者"}},
    {"column.generation.date",   {"generation: date",              "產生：日期"}},
    {"column.provision.path",    {"provisioning: path",            "配置：途徑"}},
    {"column.provision.wrap",    {"provisioning: wrapping",        "配置：包裝"}},
    {"column.provision.witness", {"provisioning: witness",         "配置：見證"}},
    {"column.storage.backend",   {"storage: backend",              "儲存：後端"}},
    {"column.storage.class",     {"storage: protection",           "儲存：保護等級"}},
    {"column.storage.extractable",{"storage: extractable",         "儲存：可否匯出"}},
    {"column.storage.backup",    {"storage: backup",               "儲存：備份"}},
    {"column.storage.escrow",    {"storage: escrow",               "儲存：託管"}},
    {"column.use.operations",    {"use: operations allowed",       "使用：允許操作"}},
    {"column.use.callers",       {"use: callers",                  "使用：呼叫者"}},
    {"column.use.count",         {"use: count",                    "使用：次數"}},
    {"column.use.limit",         {"use: limits",                   "使用：上限"}},
    {"column.use.mechanism",     {"use: mechanism",                "使用：機制"}},
    {"column.rotation.oup",      {"rotation: originator period",   "輪替：發起者使用期"}},
    {"column.rotation.rup",      {"rotation: recipient period",    "輪替：接收者使用期"}},
    {"column.rotation.auto",     {"rotation: automatic",           "輪替：自動"}},
    {"column.rotation.due",      {"rotation: next due",            "輪替：下次到期"}},
    {"column.rotation.grace",    {"rotation: overlap",             "輪替：重疊期"}},
    {"column.rotation.line",     {"rotation: before, after",       "輪替：前後金鑰"}},
    {"column.rotation.drill",    {"rotation: last drill",          "輪替：最近演練"}},
    {"column.suspension",        {"suspension",                    "暫停"}},
    {"column.revocation.mechanism",{"revocation: mechanism",       "撤銷：機制"}},
    {"column.revocation.who",    {"revocation: who may",           "撤銷：權限"}},
    {"column.revocation.effect", {"revocation: time to effect",    "撤銷：生效時間"}},
    {"column.revocation.drill",  {"revocation: last drill",        "撤銷：最近演練"}},
    {"column.compromise",        {"compromise plan",               "洩漏應變計畫"}},
    {"column.expiry",            {"expiry",                        "到期"}},
    {"column.archive",           {"archive",                       "封存"}},
    {"column.destruction.method",{"destruction: method",           "銷毀：方法"}},
    {"column.destruction.date",  {"destruction: date",             "銷毀：日期"}},
    {"column.destruction.proof", {"destruction: proof",            "銷毀：證明"}},
    {"column.destruction.witness",{"destruction: witness",         "銷毀：見證"}},
    {"column.state",             {"state",                         "狀態"}},
    {"column.history",           {"state history",                 "狀態歷程"}},
    {"column.refs",              {"references",                    "參照"}},
};
/* clang-format on */

enum word_lang words_lang(const char *text)
{
    static const char *const names[WORDS_LANGS] = {[WORDS_EN] = "en", [WORDS_ZH_TW] = "zh-TW"};

    for (unsigned i = 0; i < WORDS_LANGS; i++) {
        if (strcmp(names[i], text) == 0) {
            return (enum word_lang)i;
        }
    }
    return WORDS_LANGS;
}

const char *words(const char *id, enum word_lang lang)
{
    for (size_t i = 0; i < KW_COUNT(messages); i++) {
        if (strcmp(messages[i].id, id) == 0) {
            return messages[i].text[lang < WORDS_LANGS ? lang : WORDS_EN];
        }
    }
    return id;
}
