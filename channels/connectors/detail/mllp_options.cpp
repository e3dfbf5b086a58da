#include "channels/connectors/detail/mllp_options.h"

#include "channels/detail/validation.h"
#include "engine/base/limits.h"

namespace kiln::channels::detail {

namespace mllp = hl7::mllp;

namespace {

namespace limits = base::limits;

constexpr const char* kInsecureWords[] = {"accept_risk"};
constexpr const char* kStoreFailureWords[] = {"AE", "AR", "close"};
constexpr const char* kGarbageWords[] = {"header", "close"};
constexpr const char* kAcceptReject[] = {"accept", "reject"};
constexpr const char* kRestartData[] = {"restart", "data"};
constexpr const char* kReportAccept[] = {"report", "accept"};
constexpr const char* kNone[] = {"none", "optional", "required"};
constexpr const char* kApplicationAck[] = {"none", "same_connection"};
constexpr const char* kBatchAnswer[] = {"all", "errors"};

constexpr FieldSpec kTls[] = {
    {.name = "cert", .type = FieldType::secret, .summary = "certificate chain (PEM)"},
    {.name = "key", .type = FieldType::secret, .summary = "private key (PEM)"},
    {.name = "client_ca",
     .type = FieldType::secret,
     .summary = "authorities whose client certificates are taken"},
    {.name = "client",
     .type = FieldType::word,
     .summary = "whether a client certificate is asked for",
     .words = kNone},
    {.name = "allow",
     .type = FieldType::any,
     .summary = "which MSH-3 a certificate may send",
     .repeated = true},
    {.name = "min", .type = FieldType::string, .summary = "lowest TLS version", .default_value = "\"1.2\""},
};

constexpr FieldSpec kOptions[] = {
    {.name = "port",
     .type = FieldType::integer,
     .summary = "TCP port; 0 takes a free one",
     .required = true,
     .max = 65535},
    {.name = "bind",
     .type = FieldType::string,
     .summary = "IP address to listen on",
     .default_value = "\"127.0.0.1\""},
    {.name = "tls", .type = FieldType::block, .summary = "encryption", .fields = kTls, .later = true},
    {.name = "insecure",
     .type = FieldType::word,
     .summary = "plaintext beyond loopback, knowingly",
     .words = kInsecureWords},
    {.name = "charset",
     .type = FieldType::string,
     .summary = "character set when MSH-18 is empty",
     .lead = "default"},
    {.name = "timezone",
     .type = FieldType::string,
     .summary = "IANA zone of times without offset; default: the server's"},
    {.name = "max_message",
     .type = FieldType::size,
     .summary = "largest message",
     .default_value = "16MB",
     .min = 1024,
     .max = std::int64_t{1} << 30},
    {.name = "connections",
     .type = FieldType::integer,
     .summary = "most connections at once",
     .default_value = "5000",
     .min = 1,
     .max = limits::kConnectionsPerListenerMax},
    {.name = "connections_per_peer",
     .type = FieldType::integer,
     .summary = "most connections of one address",
     .default_value = "100",
     .min = 1,
     .max = limits::kConnectionsPerListenerMax},
    {.name = "idle",
     .type = FieldType::duration,
     .summary = "quiet time between messages before closing",
     .default_value = "10m",
     .min = 10},
    {.name = "frame_timeout",
     .type = FieldType::duration,
     .summary = "time for one message to arrive",
     .default_value = "30s",
     .min = 10},
    {.name = "on_store_failure",
     .type = FieldType::word,
     .summary = "answer when a message could not be stored",
     .default_value = "AE",
     .words = kStoreFailureWords},
    {.name = "on_garbage",
     .type = FieldType::word,
     .summary = "answer to a frame that is no HL7 message",
     .default_value = "header",
     .words = kGarbageWords},
    {.name = "missing_trailer",
     .type = FieldType::word,
     .summary = "a frame that ends without CR",
     .default_value = "accept",
     .words = kAcceptReject},
    {.name = "start_in_frame",
     .type = FieldType::word,
     .summary = "a start byte inside a frame",
     .default_value = "restart",
     .words = kRestartData},
    {.name = "unframed",
     .type = FieldType::word,
     .summary = "bytes outside a frame that begin with MSH",
     .default_value = "report",
     .words = kReportAccept},
    {.name = "application_ack",
     .type = FieldType::word,
     .summary =
         "application ACK of enhanced mode behind the accept ACK; `to x: mllp from ack` sends it as an "
         "exchange of its own",
     .default_value = "none",
     .words = kApplicationAck},
    {.name = "batch_answer",
     .type = FieldType::word,
     .summary = "answer to a batch: one answer per message, or those of refused messages only",
     .default_value = "all",
     .words = kBatchAnswer},
    detail::kValidateOption,
    {.name = "release",
     .type = FieldType::integer,
     .summary = "of MLLP; 2 answers each stored frame with a commit byte, before the acknowledgement",
     .default_value = "1",
     .min = 1,
     .max = 2},
    {.name = "start_byte",
     .type = FieldType::integer,
     .summary = "frame start",
     .default_value = "11",
     .max = 255},
    {.name = "end_byte",
     .type = FieldType::integer,
     .summary = "frame end",
     .default_value = "28",
     .max = 255},
    {.name = "trailer_byte",
     .type = FieldType::integer,
     .summary = "byte after the frame end",
     .default_value = "13",
     .max = 255},
};

}  // namespace

std::span<const FieldSpec> mllp_source_options() {
  return kOptions;
}

mllp::FramerOptions framer_options(const Options& options) {
  mllp::FramerOptions out;
  out.bytes.start = static_cast<char>(options.number("start_byte"));
  out.bytes.end = static_cast<char>(options.number("end_byte"));
  out.bytes.trailer = static_cast<char>(options.number("trailer_byte"));
  out.message_max = static_cast<std::size_t>(options.number("max_message"));
  if (options.text("missing_trailer") == "reject") out.missing_trailer = mllp::MissingTrailer::reject;
  if (options.text("start_in_frame") == "data") out.start_in_frame = mllp::StartInFrame::data;
  if (options.text("unframed") == "accept") out.unframed = mllp::Unframed::accept;
  return out;
}

}  // namespace kiln::channels::detail
