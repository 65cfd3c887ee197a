using System.Net;

namespace OpenPlatform.ServiceDefaults.Discovery.Dns;

/// <summary>What resolv.conf(5) says of this machine.</summary>
public static class ResolvConf
{
    private const string Path = "/etc/resolv.conf";

    /// <summary>The name servers of this machine; empty where the file is missing.</summary>
    public static IReadOnlyList<IPEndPoint> NameServers() =>
        [.. Lines("nameserver").Select(words => IPAddress.TryParse(words[1], out var address) ? new IPEndPoint(address, 53) : null).OfType<IPEndPoint>()];

    /// <summary>The namespace's own domain, for example <c>shop.svc.cluster.local</c>; null outside Kubernetes.</summary>
    public static string? SearchDomainInKubernetes() => Environment.GetEnvironmentVariable("KUBERNETES_SERVICE_HOST") is null
        ? null
        : Lines("search").Select(words => words[1]).FirstOrDefault();

    private static IEnumerable<string[]> Lines(string keyword) => File.Exists(Path)
        ? File.ReadLines(Path).Select(line => line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)).Where(words => words.Length > 1 && words[0] == keyword)
        : [];
}
