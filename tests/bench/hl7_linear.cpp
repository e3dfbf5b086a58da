// Work on inputs made to be costly, at one size and at ten times that size. What is counted is done in
// Work::once, so that valgrind can count its instructions (hl7_linear.sh); without valgrind processor time.
//   bench_hl7_linear                 processor time, ratio of the two sizes; fails beyond 40
//   bench_hl7_linear --names         one case a line, in the order they are done
//   bench_hl7_linear --bytes N       does each case once

#include <time.h>
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_DUMP_STATS_AT(name) static_cast<void>(name)
#endif

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "hl7/ack.h"
#include "hl7/anonymize.h"
#include "hl7/batch.h"
#include "hl7/continuation.h"
#include "hl7/edit.h"
#include "hl7/message.h"
#include "hl7/mllp/framer.h"
#include "hl7/validate.h"
#include "hl7/xml.h"

namespace {

using namespace kiln::hl7;

volatile std::size_t sink = 0;

struct Shape {
  const char* name;
  std::string begin, unit, end;
  std::string of(std::size_t bytes) const {
    std::string text = begin;
    while (text.size() < bytes) text += unit;
    return text + end;
  }
};

const std::string kHeader = "MSH|^~\\&|A|B|C|D|20240131||ORU^R01^ORU_R01|7|P|2.5.1\r";
const std::string kOrder = "MSH|^~\\&|A|B|C|D|20240131||OML^O21^OML_O21|7|P|2.5.1\rPID|1||4711\r";

std::vector<Shape> shapes() {
  return {
      {"segments", kHeader, "NTE|1\r", ""},
      {"z-segments", kHeader + "PID|1\r", "ZZZ|1\r", ""},
      {"nameless-lines", kHeader, "ab cd ef|\r", ""},
      {"blank-lines", kHeader, "\r\n \r", ""},
      {"mixed-line-ends", kHeader, "NTE|1\nNTE|a\nb|2\r\n", ""},
      {"fields", kHeader + "NTE", "|", ""},
      {"values", kHeader + "ZZZ", "|a", "\r"},
      {"repetitions", kHeader + "PID|1||", "4711~", "\r"},
      {"components", kHeader + "PID|1||", "a^", "\r"},
      {"subcomponents", kHeader + "PID|1||4711^^^", "a&", "\r"},
      {"escapes", kHeader + "NTE|1||", "\\T\\\\.br\\\\X0D0A\\", "\r"},
      {"open-escapes", kHeader + "NTE|1||", "\\a ", "\r"},
      {"open-hexadecimal", kHeader + "NTE|1||\\X", "41", "\r"},
      {"unknown-escapes", kHeader + "NTE|1||", "\\Qabc\\", "\r"},
      {"charset-escapes", "MSH|^~\\&|A||||||ORU^R01|7|P|2.5.1||||||8859/1~8859/2\rNTE|1||",
       "\\C2D42\\\xB1\\C2D41\\", "\r"},
      {"one-field", kHeader + "OBX|1|ED|x||^a^b^Base64^", "QUJD", "\r"},
      {"bad-utf8", "MSH|^~\\&|A||||||ORU^R01|7|P|2.5.1||||||UNICODE UTF-8\r", "NTE|1||\xC3(\xE2\x82\r", ""},
      {"shift-jis", "MSH|^~\\&|A||||||ORU^R01|7|P|2.5.1||||||SHIFT JIS\r", "NTE|1||\x8E\x52\x93\x63 a\r", ""},
      {"shift-jis-damage", "MSH|^~\\&|A||||||ORU^R01|7|P|2.5.1||||||SHIFT JIS\rNTE|1||", "\xFF\xFF\xFD",
       "\r"},
      {"iso-2022", "MSH|^~\\&|A||||||ORU^R01|7|P|2.5.1||||||~ISO IR87\r", "NTE|1||\x1b$B;3ED\x1b(B\r", ""},
      {"charsets", "MSH|^~\\&|A||||||ORU^R01|7|P|2.5.1||||||", "~8859/2~xyz", "\r"},
      {"groups", kHeader, "PID|1\rORC|RE\rOBR|1\rOBX|1|NM|x||1\rSPM|1\rOBX|1|NM|x||1\r", ""},
      {"groups-of-orders", kOrder,
       "ORC|NW\rOBR|1\rOBX|1|NM|x||1\rPID|2\rPV1|1\rORC|RE\rOBR|1\rOBX|1|NM|x||1\r", ""},
      {"ambiguous", kOrder, "NTE|1\rOBX|1|NM|x||1\rROL|1|AD\r", ""},
      {"unplaced", kHeader, "AL1|1\rDG1|1\rOBX|1|NM|x||1\r", ""},
      {"headers", kHeader, "MSH|^~\\&|A|B|C|D|20240131||ACK|7|P|2.5.1\r", ""},
      {"additions", kHeader + "OBX|1|TX|x||", "a\rADD|", "\r"},
      {"wrong-values", kHeader, "PID|x||^^^^^^^9~^^^||x|x|x|x||\rOBX|x|XX|||x|||||||||\r", ""},
  };
}

struct Case {
  std::string name;
  std::function<void(const std::string& bytes, const Message& message)> work;
};

/// One parse that lets everything pass that the limits would refuse.
ParseOptions unlimited() {
  ParseOptions options;
  options.segments_max = options.fields_max = options.repetitions_max = options.bytes_max = 1u << 30;
  return options;
}

std::vector<Case> cases() {
  static const Validator kValidator;
  static const Anonymizer kAnonymizer({"0123456789abcdef", AnonymizeLocal::redact, AnonymizeText::redact});
  static std::string xml, frame;
  const auto count = [](std::size_t n) { sink = sink + n; };
  return {
      {"parse", [=](const std::string& bytes,
                    const Message&) { count(Message::parse(bytes, unlimited())->segment_count()); }},
      {"scalar",
       [=](const std::string& bytes, const Message&) {
         ParseOptions options = unlimited();
         options.scan = ScanMode::scalar;
         count(Message::parse(bytes, options)->segment_count());
       }},
      {"text",
       [=](const std::string&, const Message& message) {
         std::string buffer;
         message.for_each_leaf(
             [&](const Location&, const LeafView& leaf) { count(leaf.text(buffer).size()); });
         count(check_text(message).size());
       }},
      {"views",
       [=](const std::string&, const Message& message) {
         for (std::uint32_t s = 0; s < message.segment_count(); ++s) {
           for (std::uint32_t f = 1; f <= message.segment(s).field_count(); ++f) {
             for (const auto repetition : message.segment(s).field(f).repetitions()) {
               for (const auto component : repetition.components()) {
                 for (const auto leaf : component.subs()) count(leaf.raw().size());
               }
             }
           }
         }
       }},
      {"validate", [=](const std::string&,
                       const Message& message) { count(kValidator.validate(message).findings.size()); }},
      {"edit",
       [=](const std::string&, const Message& message) {
         MessageEditor editor(message);
         count(editor.set("MSH-10", "other").has_value() + editor.encode().size());
       }},
      {"ack",
       [=](const std::string&, const Message& message) {
         AckInput input;
         input.control_id = "K1";
         count(make_ack(message, input).size());
       }},
      {"anonymize",
       [=](const std::string&, const Message& message) {
         AnonymizeReport report;
         count(kAnonymizer.apply(message, report)->size());
       }},
      {"to-xml", [=](const std::string&, const Message& message) { xml = to_xml(message); }},
      // Of the document that the case before this one made.
      {"from-xml",
       [=](const std::string&, const Message&) {
         XmlReadOptions options;
         options.bytes_max = 1u << 30;
         const auto back = from_xml(xml, options);
         count(back ? back->size() : 0);
       }},
      {"batch", [=](const std::string& bytes, const Message&) { count(split_batch(bytes).messages.size()); }},
      {"additions",
       [=](const std::string&, const Message& message) { count(join_additions(message)->size()); }},
      {"split",
       [=](const std::string&, const Message& message) {
         const auto parts = split_message(message, 300);
         count(parts ? parts->size() : 0);
       }},
      {"frame",
       [=](const std::string& bytes, const Message&) {
         mllp::Framer framer;
         framer.push("\x0b");
         for (std::size_t at = 0; at < bytes.size(); at += 100)
           framer.push(std::string_view(bytes).substr(at, 100));
         framer.push("\x1c\r");
         count(framer.next()->bytes.size());
       }},
  };
}

struct Work {
  [[gnu::noinline]] static void once(const Case& what, const std::string& bytes, const Message& message) {
    what.work(bytes, message);
  }
};

double nanos() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

using Done = std::function<void(const Shape&, const Case&, const std::string&, const Message&)>;

int each(std::size_t bytes, const Done& done) {
  // What is made once per process, the rules of a version above all, is made before anything is counted.
  for (const Case& what : cases()) what.work(kHeader, *Message::parse(kHeader));
  for (const Shape& shape : shapes()) {
    const std::string text = shape.of(bytes);
    const auto message = Message::parse(text, unlimited());
    if (!message) {
      std::fprintf(stderr, "%s: %s\n", shape.name, message.error().message().c_str());
      return 1;
    }
    for (const Case& what : cases()) done(shape, what, text, *message);
  }
  return 0;
}

constexpr std::size_t kSmall = 10'000;

int by_time() {
  std::vector<double> small;
  double worst = 0;
  const auto best = [](const Case& what, const std::string& text, const Message& message) {
    double least = 1e18;
    for (int run = 0; run < 3; ++run) {
      const double begin = nanos();
      Work::once(what, text, message);
      least = std::min(least, nanos() - begin);
    }
    return least;
  };
  each(kSmall, [&](const auto&, const Case& what, const auto& text, const auto& message) {
    small.push_back(best(what, text, message));
  });
  std::size_t at = 0;
  const int failed =
      each(10 * kSmall, [&](const Shape& shape, const Case& what, const auto& text, const auto& message) {
        const double ratio = best(what, text, message) / std::max(small[at++], 2'000.0);
        worst = std::max(worst, ratio);
        if (ratio > 40)
          std::printf("%s %s: %.1f times the time for ten times the bytes\n", shape.name, what.name.c_str(),
                      ratio);
      });
  std::printf("%zu cases, at most %.1f times the processor time for ten times the bytes\n", at, worst);
  return failed != 0 || worst > 40 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto print = [](const Shape& shape, const Case& what, const auto&, const auto&) {
    std::printf("%s %s\n", shape.name, what.name.c_str());
  };
  if (argc > 1 && std::strcmp(argv[1], "--names") == 0) return each(500, print);
  const auto run = [](const auto&, const Case& what, const auto& text, const auto& message) {
    Work::once(what, text, message);
    CALLGRIND_DUMP_STATS_AT(what.name.c_str());
  };
  if (argc > 2 && std::strcmp(argv[1], "--bytes") == 0)
    return each(static_cast<std::size_t>(std::atol(argv[2])), run);
  return by_time();
}
