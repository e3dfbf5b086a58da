#include "channels/definition.h"
#include "engine/base/limits.h"

namespace kiln::channels {

namespace {

constexpr const char* kDurabilityWords[] = {"full", "relaxed"};
constexpr const char* kInsecureWords[] = {"accept_risk"};

constexpr const char* kClientWords[] = {"none", "optional", "required"};
constexpr const char* kTlsVersions[] = {"1.2", "1.3"};
constexpr FieldSpec kHttpTls[] = {
    {.name = "cert",
     .type = FieldType::secret,
     .summary = "certificate chain (PEM), the server's own first",
     .required = true},
    {.name = "key", .type = FieldType::secret, .summary = "its private key (PEM)", .required = true},
    {.name = "client_ca",
     .type = FieldType::secret,
     .summary = "authorities whose client certificates are taken (PEM)"},
    {.name = "client",
     .type = FieldType::word,
     .summary = "whether a client certificate is asked for",
     .default_value = "none",
     .words = kClientWords},
    {.name = "min",
     .type = FieldType::string,
     .summary = "lowest TLS version",
     .default_value = "\"1.2\"",
     .words = kTlsVersions},
};
constexpr FieldSpec kHttp[] = {
    {.name = "listen",
     .type = FieldType::address,
     .summary = "where FHIR (/fhir) is served",
     .default_value = "127.0.0.1:8080"},
    {.name = "insecure",
     .type = FieldType::word,
     .summary = "plaintext beyond loopback, knowingly",
     .words = kInsecureWords},
    {.name = "tls", .type = FieldType::block, .summary = "encryption", .fields = kHttpTls, .optional_block = true},
};
constexpr const char* kAlertLevels[] = {"warn", "page"};
constexpr FieldSpec kAlert[] = {
    {.name = "channel", .type = FieldType::string, .summary = "of that channel only"},
    {.name = "above", .type = FieldType::integer, .summary = "the number beyond which it is an alert, where the rule has one"},
    {.name = "longer", .type = FieldType::duration, .summary = "the same, of a rule about time"},
    {.name = "for", .type = FieldType::duration, .summary = "how long it must hold before it is told"},
    {.name = "level", .type = FieldType::word, .summary = "page wakes somebody", .words = kAlertLevels},
    {.name = "off", .type = FieldType::boolean, .summary = "no such alert"},
    {.name = "after", .type = FieldType::duration, .summary = "no_traffic: silence of so long, within the times of `active`"},
    {.name = "active", .type = FieldType::string, .summary = "no_traffic: \"Mon-Fri 07:00-19:00, Sat 08:00-12:00\"; without it, always"},
    {.name = "except", .type = FieldType::path, .summary = "no_traffic: file of holidays, one 2026-12-25 a line"},
};
constexpr FieldSpec kNotify[] = {
    {.name = "webhook", .type = FieldType::string, .summary = "URL that gets each note as JSON by POST", .required = true},
    {.name = "authorization", .type = FieldType::secret, .summary = "value of the Authorization field"},
    {.name = "level", .type = FieldType::word, .summary = "page: only what wakes somebody", .default_value = "warn", .words = kAlertLevels},
};
constexpr FieldSpec kIndexKey[] = {
    {.name = "path", .type = FieldType::string, .summary = "HL7 path: PV1-3.1, or PID-3[*].1 for every repetition", .required = true},
    {.name = "channel", .type = FieldType::string, .summary = "of messages of that channel only"},
};
constexpr FieldSpec kIndex[] = {
    {.name = "key",
     .type = FieldType::named_block,
     .summary = "a field that messages are found by, beside patient id, account, name and control id: path:NAME=value",
     .fields = kIndexKey,
     .repeated = true},
    {.name = "text", .type = FieldType::string, .summary = "channels whose words are indexed, with blanks between them; \"*\": all"},
};
constexpr FieldSpec kHealth[] = {
    {.name = "listen",
     .type = FieldType::address,
     .summary = "where /healthz, /readyz, /startupz and /metrics are served in plain text, without login"},
};
constexpr FieldSpec kConsoleTls[] = {
    {.name = "cert",
     .type = FieldType::secret,
     .summary = "certificate chain (PEM), the server's own first",
     .required = true},
    {.name = "key", .type = FieldType::secret, .summary = "its private key (PEM)", .required = true},
    {.name = "min",
     .type = FieldType::word,
     .summary = "lowest TLS version",
     .default_value = "1.2",
     .words = kTlsVersions},
};
constexpr FieldSpec kConsole[] = {
    {.name = "listen",
     .type = FieldType::address,
     .summary = "where the console is served",
     .default_value = "127.0.0.1:8081"},
    {.name = "host",
     .type = FieldType::string,
     .summary = "a name that browsers use for it, beside the address itself",
     .repeated = true},
    {.name = "tls",
     .type = FieldType::block,
     .summary = "encryption; needed beyond loopback",
     .fields = kConsoleTls,
     .optional_block = true},
    {.name = "idle_logoff",
     .type = FieldType::duration,
     .summary = "a session ends when it is not used for so long",
     .default_value = "15m",
     .min = 60'000},
    {.name = "require_mfa",
     .type = FieldType::boolean,
     .summary = "every account above viewer must enrol an authenticator",
     .default_value = "false"},
    {.name = "bootstrap",
     .type = FieldType::secret,
     .summary = "Argon2id hash of the password of the first account `admin` (kiln user hash); without it a one-time "
                "token is printed"},
};
constexpr FieldSpec kJournal[] = {
    {.name = "durability",
     .type = FieldType::word,
     .summary = "full: every answer waits for the disk",
     .default_value = "full",
     .words = kDurabilityWords},
    {.name = "retention",
     .type = FieldType::duration,
     .summary = "how long finished days are kept",
     .later = true},
};
constexpr FieldSpec kFhirLimits[] = {
    {.name = "body",
     .type = FieldType::size,
     .summary = "largest request body",
     .default_value = "16MB",
     .min = 1024,
     .max = std::int64_t{1} << 30},
    {.name = "bundle_entries",
     .type = FieldType::integer,
     .summary = "most entries of one Bundle",
     .default_value = "5000",
     .min = 1,
     .max = 1'000'000},
};
constexpr FieldSpec kRequestLimits[] = {
    {.name = "requests",
     .type = FieldType::integer,
     .summary = "requests under way; beyond, 429",
     .default_value = "2000",
     .min = 1,
     .max = 100'000},
    {.name = "per_client",
     .type = FieldType::integer,
     .summary = "of them, of one user or address",
     .default_value = "200",
     .min = 1,
     .max = 100'000},
    {.name = "per_second",
     .type = FieldType::integer,
     .summary = "requests a second of one user or address; 0: any number",
     .default_value = "0",
     .max = 1'000'000},
};
constexpr FieldSpec kLimits[] = {
    {.name = "inflight",
     .type = FieldType::size,
     .summary = "bytes of all messages in work; beyond, nothing is read",
     .default_value = "64MB",
     .min = 1 << 20,
     .max = std::int64_t{16} << 30},
    {.name = "fhir", .type = FieldType::block, .summary = "of the FHIR server", .fields = kFhirLimits},
    {.name = "http", .type = FieldType::block, .summary = "of its clients", .fields = kRequestLimits},
};
constexpr const char* kRefusedWords[] = {"retry", "block", "quarantine"};
constexpr const char* kActionWords[] = {"create", "update", "delete"};
constexpr FieldSpec kTopic[] = {
    {.name = "url",
     .type = FieldType::string,
     .summary = "canonical: what Subscription.criteria says",
     .required = true},
    {.name = "criteria",
     .type = FieldType::string,
     .summary = "a change that meets it is an event: \"Encounter?status=in-progress\"; several: one must be met",
     .repeated = true},
    {.name = "on",
     .type = FieldType::words,
     .summary = "which writes are events",
     .default_value = "create update",
     .words = kActionWords},
    {.name = "filter",
     .type = FieldType::string,
     .summary = "a search parameter that subscriptions may filter by; none given: any",
     .repeated = true},
};
constexpr FieldSpec kSubscriptions[] = {
    {.name = "allow",
     .type = FieldType::string,
     .summary = "an endpoint must be this URL, or below it; none given: no subscription is taken",
     .repeated = true},
    {.name = "topic",
     .type = FieldType::named_block,
     .summary = "what subscriptions in topic style may ask for",
     .fields = kTopic,
     .repeated = true},
    {.name = "timeout",
     .type = FieldType::duration,
     .summary = "time for one notification",
     .default_value = "30s",
     .min = 100,
     .max = 600'000},
    {.name = "retry",
     .type = FieldType::retry,
     .summary = "how often and how fast a notification is tried again",
     .default_value = "forever backoff 1s..60s jitter"},
    {.name = "refused",
     .type = FieldType::word,
     .summary = "what a 4xx answer means (408 and 429 are tried again)",
     .default_value = "retry",
     .words = kRefusedWords},
};
constexpr const char* kValidateWords[] = {"off", "structure", "profile"};
constexpr const char* kDeleteWords[] = {"single", "multiple"};
constexpr const char* kHandlingWords[] = {"lenient", "strict"};
constexpr FieldSpec kUser[] = {
    {.name = "token",
     .type = FieldType::secret,
     .summary = "its bearer token, of 16 characters or more, or `sha256:` and the hash of it in hex"},
    {.name = "certificate",
     .type = FieldType::string,
     .summary = "subject of its client certificate, last part first: \"CN=lab,O=Example\""},
    {.name = "role",
     .type = FieldType::string,
     .summary = "reader, writer, admin, or a `role` of the site",
     .required = true,
     .repeated = true},
};
constexpr FieldSpec kRole[] = {
    {.name = "read", .type = FieldType::string, .summary = "types, with blanks between them; \"*\": all"},
    {.name = "write", .type = FieldType::string, .summary = "types that may be created, changed and deleted"},
    {.name = "operations", .type = FieldType::string, .summary = "\"$everything $export\"; \"*\": all"},
};
constexpr const char* kLoopbackWords[] = {"open", "closed"};
constexpr FieldSpec kAccess[] = {
    {.name = "user",
     .type = FieldType::named_block,
     .summary = "who may use the FHIR API",
     .fields = kUser,
     .repeated = true},
    {.name = "role",
     .type = FieldType::named_block,
     .summary = "what a user may do; nothing but what is written",
     .fields = kRole,
     .repeated = true},
    {.name = "loopback",
     .type = FieldType::word,
     .summary = "open: clients on this machine need no login though there are users",
     .default_value = "closed",
     .words = kLoopbackWords},
};
constexpr const char* kAuditWords[] = {"off", "writes", "all"};
constexpr const char* kProvenanceWords[] = {"off", "channels", "all"};
constexpr FieldSpec kFhir[] = {
    {.name = "base",
     .type = FieldType::string,
     .summary = "URL that clients reach the server by, when it is another than that of `http`"},
    {.name = "access", .type = FieldType::block, .summary = "users and roles", .fields = kAccess},
    {.name = "audit",
     .type = FieldType::word,
     .summary = "AuditEvents in the store: of no request, of each write, or of reads and searches too",
     .default_value = "off",
     .words = kAuditWords},
    {.name = "provenance",
     .type = FieldType::word,
     .summary = "a Provenance with each write: of none, of channels, or of clients too",
     .default_value = "off",
     .words = kProvenanceWords},
    {.name = "validate",
     .type = FieldType::word,
     .summary = "what is written: not at all, against R4, or also invariants and profiles (422)",
     .default_value = "structure",
     .words = kValidateWords},
    {.name = "package",
     .type = FieldType::path,
     .summary = "implementation guide (.tgz, folder or file): its profiles and terminology are known",
     .repeated = true},
    {.name = "update_create",
     .type = FieldType::boolean,
     .summary = "a PUT to an id that does not exist creates it",
     .default_value = "true"},
    {.name = "conditional_delete",
     .type = FieldType::word,
     .summary = "multiple: DELETE with criteria removes all matches, at most 1,000",
     .default_value = "single",
     .words = kDeleteWords},
    {.name = "handling",
     .type = FieldType::word,
     .summary = "unknown search parameters, without Prefer: ignored and reported, or refused",
     .default_value = "lenient",
     .words = kHandlingWords},
    {.name = "subscriptions",
     .type = FieldType::block,
     .summary = "who may be notified, and of what",
     .fields = kSubscriptions},
};
constexpr FieldSpec kReload[] = {
    {.name = "on_change",
     .type = FieldType::boolean,
     .summary = "changed files are checked and used by themselves; else only by `kiln reload`, `apply` or SIGHUP",
     .default_value = "false"},
    {.name = "every",
     .type = FieldType::duration,
     .summary = "how often they are looked at; they must be the same for as long again",
     .default_value = "2s",
     .min = 200,
     .max = 3'600'000},
};
constexpr FieldSpec kQuery[] = {
    {.name = "file",
     .type = FieldType::path,
     .summary = "SQLite database, relative to the site; only read",
     .required = true},
    {.name = "sql",
     .type = FieldType::string,
     .summary = "one SELECT; parameters by the names of the lookup: `:mrn`",
     .required = true},
};
constexpr FieldSpec kServer[] = {
    {.name = "data",
     .type = FieldType::path,
     .summary = "folder of journal and store, relative to the site",
     .default_value = "\"data\""},
    {.name = "timezone",
     .type = FieldType::string,
     .summary = "IANA zone of times without offset",
     .default_value = "\"UTC\""},
    {.name = "http",
     .type = FieldType::block,
     .summary = "FHIR server; without the block it listens on its default",
     .fields = kHttp},
    {.name = "fhir", .type = FieldType::block, .summary = "rules of the FHIR server", .fields = kFhir},
    {.name = "index", .type = FieldType::block, .summary = "what messages are found by", .fields = kIndex},
    {.name = "health", .type = FieldType::block, .summary = "health and metrics for supervisors", .fields = kHealth},
    {.name = "journal", .type = FieldType::block, .summary = "message journal", .fields = kJournal},
    {.name = "limits", .type = FieldType::block, .summary = "caps", .fields = kLimits},
    {.name = "alert",
     .type = FieldType::named_block,
     .summary = "what is changed of an alert rule (operations): queue_age, no_traffic, …",
     .fields = kAlert,
     .repeated = true},
    {.name = "notify", .type = FieldType::named_block, .summary = "where alerts are sent", .fields = kNotify, .repeated = true},
    {.name = "reload", .type = FieldType::block, .summary = "other versions while it runs", .fields = kReload},
    {.name = "query",
     .type = FieldType::named_block,
     .summary = "SQL query of a lookup: what `via sql \"name\"` asks",
     .fields = kQuery,
     .repeated = true},
    {.name = "poison", .type = FieldType::any, .summary = "messages that crash", .later = true},
    {.name = "replay", .type = FieldType::any, .summary = "pace of replays", .later = true},
    {.name = "egress", .type = FieldType::any, .summary = "where may be connected to", .later = true},
    {.name = "admin", .type = FieldType::any, .summary = "users and roles", .later = true},
    {.name = "console",
     .type = FieldType::block,
     .summary = "web console and admin API for people; without the block there is only the local socket",
     .fields = kConsole,
     .optional_block = true},
};

}  // namespace

std::span<const FieldSpec> server_options() {
  return kServer;
}

}  // namespace kiln::channels
