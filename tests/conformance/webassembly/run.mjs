// Runs a Python script in CPython compiled to WebAssembly:
//
//     node run.mjs INSTALLED PROJECT DIRECTORY SCRIPT
//
// INSTALLED holds `node_modules` with pyodide and `site-packages` with pure Python packages,
// PROJECT is this repository, DIRECTORY where the script runs, SCRIPT its path in the repository.
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [installed, project, directory, script] = process.argv.slice(2);
const pyodide = join(resolve(installed), "node_modules", "pyodide", "pyodide.mjs");
const { loadPyodide } = await import(pathToFileURL(pyodide));
const python = await loadPyodide();

python.mountNodeFS("/installed", resolve(installed));
python.mountNodeFS("/project", resolve(project));
python.mountNodeFS("/directory", resolve(directory));
python.globals.set("script", `/project/${script}`);
try {
  await python.runPythonAsync(`
    import os, sys
    sys.dont_write_bytecode = True
    sys.path[:0] = ["/installed/site-packages", "/project"]
    os.chdir("/directory")
    namespace = {"__name__": "webassembly"}
    exec(compile(open(script).read(), script, "exec"), namespace)
    await namespace["run"]()
  `);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
