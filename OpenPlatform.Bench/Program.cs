using OpenPlatform.Bench.Catalog;
using OpenPlatform.Bench.Compare;
using OpenPlatform.Bench.Propagation;
using OpenPlatform.Bench.Simulate;
using OpenPlatform.Bench.Steps;

const string Help = $"""
    OpenPlatform.Bench: what the platform costs.

      compare [--rounds 5] [--seconds 4] [--connections 64] [--only a,b] [--variants] [--with NAME|A=B] [--write]
              the gateway with every policy on, beside plain proxies (YARP, nginx, haproxy, caddy) and nginx with Lua policies,
              interleaved on the same upstream: CPU per request, throughput, latency, system calls. --variants: also the gateway with one
              thing less each. --with 'NAME|A=B|build=FOLDER': also the gateway with other settings, or another build of it; may be repeated.
              --write: into docs/performance.md. Ends with 1 when a bound of docs/guarantees.md is exceeded.
              Needs wrk, nginx, redis-server; takes haproxy, caddy, libnginx-mod-http-lua with lua-nginx-redis, and strace where they are.
      steps   every step of the pipeline by itself: allocated bytes against budgets.txt, and nanoseconds
      memory  bytes a credential, and the time of a look-up, from 1,000 to 100,000 credentials and up to 10,000 operations

      catalog [--rounds 5] [--seconds 4] [--connections 16]
              reads by key and writes of the admin API beside the same SQL through bare Npgsql, on a Postgres of its own; fails when reads are
              below 60 % of it or memory grows. Needs wrk and Postgres's programs.

      propagation [--quick] [--effect | --load | --apart | --changesets]
              from a write at the catalog to its effect at three gateways, 10,000 operations and 100,000 credentials; changes under load, or with --effect all but
              those, with --load nothing but those, with --apart of those only a gateway by itself; with --changesets large changesets, without gateways, and nothing
              else. Needs postgres.

      {SimulateCommand.Help}

    Run it in Release: dotnet run -c Release --project OpenPlatform.Bench -- compare
    """;

switch (args.FirstOrDefault())
{
    case "compare":
        return await Comparison.RunAsync(args[1..]);
    case "steps":
        return StepBench.Run();
    case "memory":
        return MemoryBench.Run();
    case "catalog":
        return await CatalogBench.RunAsync(args[1..]);
    case FloorServer.Command:
        await FloorServer.ServeAsync(args[1..]);
        return 0;
    case PlainYarp.Command:
        await PlainYarp.ServeAsync(args[1..]);
        return 0;
    case HelloBackend.Command:
        HelloBackend.Run(args[1..]);
        return 0;
    case SteadyLoad.Command:
        SteadyLoad.Run(args[1..]);
        return 0;
    case "propagation":
        return await PropagationBench.RunAsync(args[1..]);
    case "simulate":
        return await SimulateCommand.RunAsync(args[1..]);
    default:
        Console.WriteLine(Help);
        return args is ["--help" or "-h"] ? 0 : 2;
}
