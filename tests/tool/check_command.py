"""Runs the hiprope command as a user does: usage: check_command.py HIPROPE VERSION PLATFORM."""
import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest

COMMAND, VERSION, PLATFORM = sys.argv[1:4]


def hiprope(*arguments, **environment):
    return subprocess.run([COMMAND, *arguments], env={**os.environ, **environment}, capture_output=True, text=True,
                          check=False, timeout=300)


# A terminal escape, controls, a C1 control, bidirectional marks, a line separator and a byte order mark.
HOSTILE = "\x1b[31m\r\x07\x7f\x9b31m\u202e\u2066\u200f\u061c\u2028\ufeff"


def write_config(folder, more):
    """A small model's config.json in `folder`, with the fields `more`."""
    config = {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2, "max_position_embeddings": 64,
              "rope_theta": 10000.0, **more}
    path = os.path.join(folder, "config.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file, ensure_ascii=False)
    return path


def gpu_count():
    return len(json.loads(hiprope("info", "--json").stdout)["devices"])


class Output(unittest.TestCase):
    def test_what_cannot_be_written_is_status_2(self):
        with tempfile.TemporaryDirectory() as folder:
            config = write_config(folder, {"model_type": "llama"})
            for arguments in (["info"], ["info", "--json"], ["models"], ["models", "--json"],
                              ["explain", config], ["explain", "--json", config], ["--help"], ["--version"],
                              ["explain", "--help"],
                              ["verify", "--model", "Llama-3-8B", "--tokens", "1", "--device", "cpu"],
                              ["verify", "--model", "Llama-3-8B", "--tokens", "1", "--device", "cpu", "--json"]):
                with self.subTest(arguments), open("/dev/full", "w", encoding="utf-8") as full:
                    run = subprocess.run([COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, text=True,
                                         check=False, timeout=300)
                    self.assertEqual(run.returncode, 2, run.stderr)
                    self.assertIn("standard output could not be written", run.stderr)

    def assert_harmless(self, text):
        for character in text:
            hostile = character in HOSTILE and not character.isprintable()
            self.assertTrue(character == "\n" or (character >= " " and not hostile), repr(text))

    def test_text_of_files_and_arguments_is_escaped(self):
        with tempfile.TemporaryDirectory() as folder:
            odd = os.path.join(folder, HOSTILE.replace("\n", "") + "dir")
            os.mkdir(odd)
            for more in ({"model_type": "zebra" + HOSTILE}, {"model_type": "llama", "rope" + HOSTILE: 1},
                         {"model_type": "llama", "layer_types": ["a" + HOSTILE, "b"]},
                         {"model_type": "llama", "rope_scaling": {"rope_type": HOSTILE}},
                         {"model_type": "llama", "rope_theta": HOSTILE},
                         {"model_type": "llama", "rope_parameters": {HOSTILE: {"rope_theta": 1}}}):
                config = write_config(odd, more)
                for arguments in (["explain"], ["explain", "--json"], ["explain", "--strict"]):
                    with self.subTest(more=more, arguments=arguments):
                        run = hiprope(*arguments, config)
                        self.assertIn(run.returncode, (0, 2))
                        self.assert_harmless(run.stdout + run.stderr)
            for arguments in (["explain", HOSTILE], ["explain", "--" + HOSTILE], [HOSTILE], ["verify", "--model", HOSTILE],
                              ["verify", "--config", HOSTILE]):
                run = hiprope(*arguments)
                self.assertEqual(run.returncode, 2)
                self.assert_harmless(run.stdout + run.stderr)

    def test_text_that_is_no_utf8_is_escaped(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.gguf")
            name = b"ze\xff\xc3\x1b[2Jbra"
            keys = [(b"general.architecture", 8, struct.pack("<Q", len(name)) + name)]
            for key, value in ((b".block_count", 2), (b".context_length", 64), (b".embedding_length", 64),
                               (b".attention.head_count", 4), (b".rope.\x9b", 1)):
                keys.append((name + key, 4, struct.pack("<I", value)))
            with open(path, "wb") as file:
                file.write(b"GGUF" + struct.pack("<IQQ", 3, 0, len(keys)))
                for key, kind, value in keys:
                    file.write(struct.pack("<Q", len(key)) + key + struct.pack("<I", kind) + value)
            for arguments in (["explain"], ["explain", "--json"], ["explain", "--strict"]):
                run = subprocess.run([COMMAND, *arguments, path], capture_output=True, check=False, timeout=300)
                self.assertEqual(run.returncode, 2 if "--strict" in arguments else 0, run.stderr)
                self.assert_harmless(run.stdout.decode("utf-8") + run.stderr.decode("utf-8"))


class Info(unittest.TestCase):
    def test_json(self):
        run = hiprope("info", "--json", HIPROPE_LOG="off")
        self.assertEqual(run.returncode, 0, run.stderr)
        report = json.loads(run.stdout)
        self.assertEqual(report["version"], VERSION)
        self.assertEqual(report["platform"], PLATFORM)
        self.assertEqual(bool(report["code_objects"]), PLATFORM != "none")
        self.assertEqual(report["environment"]["HIPROPE_LOG"], "off")
        for device in report["devices"]:
            self.assertGreater(device["memory_bytes"], 0)

    def test_text(self):
        run = hiprope("info")
        self.assertEqual(run.returncode, 0, run.stderr)
        for expected in (VERSION, PLATFORM, "HIPROPE_LOG"):
            self.assertIn(expected, run.stdout)
        self.assertEqual(hiprope("--version").stdout.strip(), VERSION)


    def test_json(self):
        run = hiprope("models", "--json")
        self.assertEqual(run.returncode, 0, run.stderr)
        models = {model["model"]: model for model in json.loads(run.stdout)["models"]}
        self.assertEqual(len(models), 12)
        fields = ("heads", "kv_heads", "head_dim", "rotary_dim", "base", "max_positions", "pairing", "scaling")
        expected = {
            "Llama-3-8B": (32, 8, 128, 128, 5e5, 8192, "half_split", "default"),
            "GPT-NeoX-20B": (64, 64, 96, 24, 1e4, 2048, "half_split", "default"),
            "GPT-J-6B": (16, 16, 256, 64, 1e4, 2048, "interleaved", "default"),
            "DeepSeek-V3": (128, 1, 64, 64, 1e4, 163840, "interleaved", "yarn"),
            "Falcon-7B": (71, 1, 64, 64, 1e4, 2048, "half_split", "default"),
        }
        for name, values in expected.items():
            self.assertEqual(tuple(models[name][field] for field in fields), values, name)
        self.assertEqual(models["DeepSeek-V3"]["q_head_stride"], 192)

    def test_text(self):
        run = hiprope("models")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(len(run.stdout.splitlines()), 13)


class Verify(unittest.TestCase):
    # Half a step of the type relative to the pair's magnitude, with the tolerance of float32 added.
    LARGEST_ERROR = {"f32": 1e-5, "f16": 2**-11 + 1e-5, "bf16": 2**-8 + 1e-5}

    def report(self, *arguments):
        run = hiprope("verify", "--device", "cpu", "--json", *arguments)
        self.assertEqual(run.returncode, 0, run.stdout[-2000:] + run.stderr)
        self.assertEqual(run.stderr, "")
        return json.loads(run.stdout)

    def test_one_model(self):
        for dtype, largest in self.LARGEST_ERROR.items():
            report = self.report("--model", "deepseek-v3", "--dtype", dtype, "--tokens", "3", "--seed", "7")
            expected = {"platform": PLATFORM, "device": "cpu", "path": "cpu", "model": "DeepSeek-V3", "dtype": dtype,
                        "tokens": 3, "seed": 7, "bitwise_equal_cpu": True, "passed": True, "runs": 12}
            self.assertEqual({key: report[key] for key in expected}, expected)
            self.assertGreater(report["max_abs_error"], 0)
            self.assertGreater(report["max_relative_error"], 0)
            self.assertLess(report["max_relative_error"], largest)

    def test_all_models(self):
        report = self.report("--all", "--dtype", "all", "--tokens", "2")
        self.assertEqual((report["model"], report["dtype"], report["passed"]), ("all", "all", True))
        runs = {(result["model"], result["function"], result["dtype"], result["in_place"], result["direction"])
                for result in report["results"]}
        self.assertEqual(len(runs), 12 * 3 * 3 * 2 * 2)
        self.assertEqual(report["runs"], len(runs))
        for result in report["results"]:
            self.assertLessEqual(result["max_relative_error"], self.LARGEST_ERROR[result["dtype"]], result)

    def test_default_tokens(self):
        self.assertEqual(self.report("--model", "Gemma-2B")["tokens"], 64)
        wide = self.report("--model", "GPT-NeoX-20B")["tokens"]
        self.assertLessEqual(wide * (64 + 64) * 96, 200_000)

    def test_table(self):
        run = hiprope("verify", "--model", "Phi-2", "--tokens", "2", "--device", "cpu")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertNotIn("\x1b", run.stdout + run.stderr)
        self.assertRegex(run.stdout.splitlines()[-1], r"^passed: 12 of 12 runs passed on cpu, path cpu")

    def test_config(self):
        config = {"model_type": "llama", "hidden_size": 512, "num_attention_heads": 8, "num_key_value_heads": 2,
                  "num_hidden_layers": 2, "max_position_embeddings": 1024, "rope_theta": 10000.0}
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(config, file)
            file.flush()
            self.assertTrue(self.report("--config", file.name, "--tokens", "4")["passed"])


class Bench(unittest.TestCase):
    QUICK = ("bench", "--device", "cpu", "--layers", "2", "--rounds", "3")

    def test_json(self):
        run = hiprope(*self.QUICK, "--model", "QWEN3-0.6b,deepseek-v3", "--tokens", "1,300", "--json")
        self.assertEqual(run.returncode, 0, run.stderr)
        report = json.loads(run.stdout)
        cases = [(result["model"], result["tokens"], result["positions"]) for result in report["results"]]
        self.assertEqual(cases, [(model, *of) for model in ("Qwen3-0.6B", "DeepSeek-V3")
                                 for of in ((1, "random"), (300, "sequential"))])
        for result in report["results"]:
            row = {"Qwen3-0.6B": 24 * 128, "DeepSeek-V3": 129 * 64}[result["model"]]
            self.assertEqual(result["calls"]["rope"]["bytes"], 2 * 2 * row * result["tokens"])
            self.assertGreater(result["touch"]["added_us"], 0)
        self.assertEqual([mean["cases"] for mean in report["means"]], [2, 2])

    def test_table_and_plot(self):
        with tempfile.TemporaryDirectory() as folder:
            plot = os.path.join(folder, "plot.svg")
            run = hiprope(*self.QUICK, "--heads", "3", "--kv-heads", "2", "--head-dim", "20", "--token-stride", "99",
                          "--dtype", "all", "--tokens", "7", "--out-of-place", "--inverse", "--plot", plot)
            self.assertEqual(run.returncode, 0, run.stderr)
            with open(plot) as file:
                self.assertIn("own bf16 rope", file.read())
        self.assertIn("checked against float64", run.stdout)
        self.assertEqual(len([line for line in run.stdout.splitlines() if line.startswith("own ")]), 3)

    # Without names, the models that are measured are seven of those that verify knows.
    def test_models(self):
        run = hiprope(*self.QUICK, "--tokens", "1", "--no-check", "--json")
        self.assertEqual(run.returncode, 0, run.stderr)
        measured = [result["model"] for result in json.loads(run.stdout)["results"]]
        known = [model["model"] for model in json.loads(hiprope("models", "--json").stdout)["models"]]
        self.assertEqual(measured, known[:7])


class Refusals(unittest.TestCase):
    def refused(self, *arguments, says=()):
        run = hiprope(*arguments)
        self.assertEqual(run.returncode, 2, (arguments, run.stdout, run.stderr))
        self.assertEqual(run.stdout, "")
        for text in says:
            self.assertIn(text, run.stderr)

    def test_arguments(self):
        self.refused(says=["verify", "models"])
        self.refused("rotate", says=["rotate"])
        self.refused("verify", says=["--model", "--all"])
        self.refused("verify", "--model", "Qwen3-7B", says=["Qwen3-8B", "hiprope models"])
        self.refused("verify", "--model", "Phi-2", "--all", says=["--all"])
        self.refused("verify", "--all", "--dtype", "f64", says=["f64", "bf16"])
        self.refused("verify", "--all", "--tokens", "0", says=["--tokens"])
        self.refused("verify", "--all", "--tokens", str(2**39), "--device", "cpu", says=["--tokens", "at most"])
        self.refused("bench", "--model", "lama-3-8b", says=["Llama-3-8B", "hiprope models"])
        self.refused("bench", "--device", "cpu", "--sweep", says=["--device gpu"])
        self.refused("bench", "--positions", "image", says=["--axes"])
        self.refused("bench", "--ids", "none", says=["--positions sequential"])
        self.refused("bench", "--sweep", "--host-cost", says=["--sweep", "--host-cost"])
        self.refused("bench", "--host-cost", "--json", says=["--json", "--host-cost"])
        self.refused("verify", "--all", "--device", "tpu", says=["tpu", "gpu:N"])
        self.refused("verify", "--config", "/nonexistent/config.json", says=["/nonexistent/config.json"])

    def test_absent_gpu(self):
        self.refused("verify", "--all", "--device", f"gpu:{gpu_count()}", says=["visible"])

    def test_environment(self):
        run = hiprope("verify", "--model", "Phi-2", "--device", "cpu", HIPROPE_LOG="loudly")
        self.assertEqual(run.returncode, 2)
        self.assertIn("loudly", run.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
