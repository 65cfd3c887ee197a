using System.CommandLine;
using OpenPlatform.Cli.Connection;
using OpenPlatform.Contracts.Declarative;

namespace OpenPlatform.Cli.Commands;

internal static class ExportCommand
{
    public static Command Create()
    {
        var file = new Option<FileInfo?>("--file") { Description = "Where to write it; without it, standard output." };
        var command = new Command("export", "Writes the whole configuration in the form that apply takes. Secrets are not in it: nobody has them but their owners.") { file };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var catalog = ConnectionOptions.Connect(parsed);
            var configuration = (await catalog.GetAsync("export", cancellationToken)).Body;
            if (configuration is not null)
            {
                // A text such as ${HOST} in an OpenAPI document is no variable of the file.
                DeclaredVariables.Escape(configuration);
            }

            var format = parsed.GetValue(Output.Format) == OutputFormat.Json ? OutputFormat.Json : OutputFormat.Yaml;
            if (parsed.GetValue(file) is not { } path)
            {
                Output.Write(configuration, format);
                return (int)ExitCode.Done;
            }

            try
            {
                await File.WriteAllTextAsync(path.FullName, format == OutputFormat.Json ? configuration?.ToJsonString() : Output.YamlOf(configuration), cancellationToken);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new CommandFailure(ExitCode.Usage, e.Message, e);
            }

            return (int)ExitCode.Done;
        });
        return command;
    }
}
