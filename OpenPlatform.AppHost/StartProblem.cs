using System.Reflection;
using System.Runtime.CompilerServices;

namespace OpenPlatform.AppHost;

/// <summary>
/// A wrong setting that is noticed while the model is put together ends the AppHost as one that is noticed later does: with a line that says
/// what to do, and exit code 1.
/// </summary>
internal static class StartProblem
{
    [ModuleInitializer]
    internal static void Tell()
    {
        // Tests run this AppHost in a process of their own.
        if (Assembly.GetEntryAssembly() == typeof(StartProblem).Assembly)
        {
            AppDomain.CurrentDomain.UnhandledException += static (_, unhandled) =>
            {
                if (unhandled.ExceptionObject is DistributedApplicationException problem)
                {
                    Console.Error.WriteLine($"error: {problem.Message}");
                    Environment.Exit(1); // before the runtime prints where it happened
                }
            };
        }
    }
}
