using System.Globalization;
using System.Text;
using OpenPlatform.Hosting.Publishing.Yaml;

namespace OpenPlatform.Hosting.Publishing.Compose;

/// <summary>
/// Secrets in files below <c>secrets/</c>, which a script makes where the application is deployed: a value for each parameter, and from them what
/// each service is given. A project reads them from <c>/run/secrets</c>, Postgres from <c>POSTGRES_PASSWORD_FILE</c>, a shell reads its own; an image
/// of which nothing is known gets them as an environment file.
/// </summary>
internal sealed class ComposeSecrets(DeploymentModel model)
{
    private const string Folder = "secrets";

    /// <summary>What the public image of Postgres reads from the file that <c>&lt;name&gt;_FILE</c> names.</summary>
    private const string PostgresPassword = "POSTGRES_PASSWORD";

    /// <summary>The secrets of all services, for the root of the document.</summary>
    public YamlMap Definitions() => new(model.Services.Where(IsMounted).SelectMany(static s => Secret(s).Select(v => KeyValuePair.Create<string, YamlNode>(Name(s, v), new YamlMap { ["file"] = $"./{File(s, v)}" }))));

    /// <summary>Those that a service sees as files named like its variables.</summary>
    public static YamlList Of(ServiceModel service) => IsMounted(service)
        ? YamlNode.List(Secret(service).Select(v => new YamlMap { ["source"] = Name(service, v), ["target"] = v.Name }))
        : [];

    /// <summary>The file with a service's secret variables; null: it has none, or mounts them.</summary>
    public static string? EnvironmentFile(ServiceModel service) => !IsMounted(service) && Secret(service).Any() ? $"./{Folder}/{service.Name}.env" : null;

    /// <summary>Variables that name files.</summary>
    public static IEnumerable<(string Name, string Value)> FileVariables(ServiceModel service) => service.Kind == ServiceKind.Postgres
        ? Secret(service).Where(static v => v.Name == PostgresPassword).Select(static v => ($"{v.Name}_FILE", $"/run/secrets/{v.Name}"))
        : [];

    /// <summary>The arguments; a shell first reads the secrets that the command of its line uses.</summary>
    public static IEnumerable<string> Command(ServiceModel service, IReadOnlyList<ValueModel> arguments)
    {
        string[] words = [.. arguments.Select(a => a.HasSecret
            ? throw new Aspire.Hosting.DistributedApplicationException($"An argument of '{service.Name}' holds a secret, which everybody on the machine could read; give it as a variable.")
            : a.Render(ComposeService.Address, static _ => ""))];
        return RunsInShell(service)
            ? [words[0], ComposeService.Escape(string.Concat(Secret(service).Select(static v => $"read -r {v.Name} < /run/secrets/{v.Name} || :; export {v.Name}; ")) + words[1]), .. words[2..].Select(ComposeService.Escape)]
            : words.Select(ComposeService.Escape);
    }

    /// <summary>Makes what is missing, and everything that is made of it anew.</summary>
    public string Script()
    {
        var script = new StringBuilder("""
            #!/bin/sh
            # Makes the secrets of this deployment. Values that exist are kept; what services are given is made of them anew.
            set -eu
            cd "$(dirname "$0")"
            mkdir -p secrets/values
            chmod 700 secrets        # the files in it are readable, because containers do not run as you

            # value NAME: letters and digits, about 256 bits; 43 of them and a '=' are also the base64 of 32 bytes.
            value() {
              [ -s "secrets/values/$1" ] || LC_ALL=C tr -dc 'A-Za-z0-9' < /dev/urandom | head -c 43 > "secrets/values/$1"
            }


            """.ReplaceLineEndings("\n"));
        foreach (var secret in model.Secrets)
        {
            script.Append(CultureInfo.InvariantCulture, $"value {secret.Name}; {Variable(secret)}=$(cat secrets/values/{secret.Name})\n");
        }

        foreach (var service in model.Services.Where(static s => Secret(s).Any()))
        {
            script.Append('\n');
            if (IsMounted(service))
            {
                script.Append(CultureInfo.InvariantCulture, $"mkdir -p {Folder}/{service.Name}\n");
                foreach (var variable in Secret(service))
                {
                    script.Append(CultureInfo.InvariantCulture, $"printf %s \"{Text(variable)}\" > {File(service, variable)}\n");
                }
            }
            else
            {
                script.Append(CultureInfo.InvariantCulture, $"cat > {Folder}/{service.Name}.env <<END\n{string.Concat(Secret(service).Select(v => $"{v.Name}={Text(v)}\n"))}END\n");
            }
        }

        return script.ToString();
    }

    private static IEnumerable<VariableModel> Secret(ServiceModel service) => service.Environment.Where(static v => v.Value.HasSecret);

    private static bool IsMounted(ServiceModel service) => service.Kind switch
    {
        ServiceKind.Project => true,
        ServiceKind.Postgres => Secret(service).All(static v => v.Name == PostgresPassword),
        _ => RunsInShell(service),
    };

    private static bool RunsInShell(ServiceModel service) => service.Entrypoint == "/bin/sh" && service.Arguments is [{ Parts: [TextPart { Text: "-c" }] }, _, ..];

    private static string Name(ServiceModel service, VariableModel variable) => $"{service.Name}-{variable.Name.ToLowerInvariant().Replace("__", "-", StringComparison.Ordinal).Replace('_', '-')}";

    private static string File(ServiceModel service, VariableModel variable) => $"{Folder}/{service.Name}/{variable.Name}";

    private static string Variable(ParameterModel secret) => string.Concat(secret.Name.ToUpperInvariant().Select(static c => char.IsAsciiLetterOrDigit(c) ? c : '_'));

    /// <summary>For a shell's double quotes. The values are letters and digits, so a URL needs no escape either.</summary>
    private static string Text(VariableModel variable) => variable.Value.Render(
        ComposeService.Address, static part => $"${{{Variable(part.Parameter)}}}", static literal => string.Concat(literal.Select(static c => c is '"' or '\\' or '$' or '`' ? $"\\{c}" : $"{c}")));
}
