import { compileForSources } from '../../scripts/assembly.mjs';

/** Before all tests: they run the sources as they are, and WebAssembly has to be compiled first. */
export default compileForSources;
