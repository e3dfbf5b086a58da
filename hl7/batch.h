#pragma once
// Finds the messages of a file: [FHS] { [BHS] { MSH… } [BTS] } [FTS], every part optional (std 2.10.3), also
// plain concatenated messages and MLLP-framed dumps.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/partial_date.h"
#include "hl7/delimiters.h"
#include "hl7/message.h"

namespace kiln::hl7 {

/// A byte range of the file.
struct Slice {
  std::size_t begin = 0, end = 0;
  std::string_view of(std::string_view file) const { return file.substr(begin, end - begin); }
};

struct Batch {
  std::vector<Slice>
      messages;  ///< each from its MSH to before the next header or trailer, line ends included
  std::vector<Slice> envelope;  ///< FHS, BHS, BTS and FTS segments in order, without line end
  std::vector<Slice> noise;     ///< anything else that is not white space: nothing is lost silently
  /// Delimiters of the nearest FHS or BHS before envelope[i]; for reading trailers with
  /// ParseOptions::headerless.
  std::vector<Delimiters> envelope_delimiters;
  /// Counts of the trailers that do not agree, as errors of code bad_batch; the messages are listed all the
  /// same.
  std::vector<base::Error> problems;

  bool counts_agree = true;  ///< of the trailers with what is there; a trailer that is missing says nothing

  bool enveloped() const { return !envelope.empty(); }
};

/// Splits a file held in memory. Line ends may be CR, LF or CR LF. A message starts at a line `MSH` +
/// separator; bytes VT, FS, NUL and white space before a header belong to nobody. Linear, never fails.
Batch split_batch(std::string_view file);

/// What the header of a batch of answers says of itself.
struct BatchAckInput {
  std::string control_id;  ///< BHS-11, and FHS-11 when the file has one
  base::PartialDate time;  ///< BHS-7, FHS-7
  /// One answer more, in the first batch: of the batch itself, when something of it is not there. Empty: none.
  std::string refusal = {};
};

/// The answer to a batch (std 2.10.3.3): the answers of its messages in order, in an envelope like the one
/// that came, with sender and receiver exchanged, BHS-12 and FHS-12 naming what is answered and counts in the
/// trailers. Empty answers are left out; with none at all the envelope is empty, count 0. `batch` is of
/// `file`. Without FHS and BHS the result is the answers alone.
std::string make_batch_ack(std::string_view file, const Batch& batch, const std::vector<std::string>& answers,
                           const BatchAckInput& input);

}  // namespace kiln::hl7
