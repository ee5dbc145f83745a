// Runs a Python script in CPython compiled to WebAssembly:
//
//     node run.mjs INSTALLED PROJECT SCRIPT DIRECTORY...
//
// INSTALLED holds `node_modules` with pyodide and `site-packages` with pure Python packages,
// PROJECT is this repository, SCRIPT a path in it. The script's `run` is handed the DIRECTORIES.
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [installed, project, script, ...directories] = process.argv.slice(2);
const pyodide = join(resolve(installed), "node_modules", "pyodide", "pyodide.mjs");
const { loadPyodide } = await import(pathToFileURL(pyodide));
const python = await loadPyodide();

python.mountNodeFS("/installed", resolve(installed));
python.mountNodeFS("/project", resolve(project));
directories.forEach((path, number) => python.mountNodeFS(`/directory${number}`, resolve(path)));
python.globals.set("script", `/project/${script}`);
python.globals.set("directories", python.toPy(directories.map((_, number) => `/directory${number}`)));
try {
  await python.runPythonAsync(`
    import sys
    sys.pycache_prefix = "/installed/bytecode"
    sys.path[:0] = ["/installed/site-packages", "/project"]
    namespace = {"__name__": "webassembly"}
    exec(compile(open(script).read(), script, "exec"), namespace)
    await namespace["run"](directories)
  `);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
